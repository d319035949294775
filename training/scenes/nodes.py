"""A thin layer over Blender's shader nodes, so that a material reads as a few lines of arithmetic."""

from __future__ import annotations

from typing import Any

from training.scenes.blender import module

Colour = tuple[float, float, float]
Stops = list[tuple[float, Colour]]


class Graph:
    """One material under construction. Sockets are passed around as opaque `Any` values."""

    def __init__(self, name: str, material: Any = None) -> None:
        """Start a material called `name` with one Principled BSDF, or go on with a finished `material`."""
        bpy = module()

        self.material: Any = material or bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree: Any = self.material.node_tree
        self.bsdf: Any = self.tree.nodes["Principled BSDF"]

    def node(self, kind: str, **settings: Any) -> Any:
        """Add the node type `ShaderNode<kind>` and set its properties."""
        made = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in settings.items():
            setattr(made, key, value)
        return made

    def put(self, socket: Any, value: Any) -> None:
        """Feed an input socket: link it when `value` is a socket, otherwise store the constant."""
        if hasattr(value, "is_output"):
            self.tree.links.new(value, socket)
        elif isinstance(value, tuple) and socket.type == "RGBA":
            socket.default_value = (*value, 1.0)
        elif isinstance(value, float) and socket.type == "VECTOR":
            socket.default_value = (value, value, value)
        else:
            socket.default_value = value

    def grain(self, scale: tuple[float, float, float] = (1.0, 1.0, 1.0), shift: Any = None) -> Any:
        """The mesh's own `grain` coordinates (see shapes.Shape), scaled, moved by a per-object random offset."""
        source = self.node("Attribute", attribute_name="grain").outputs["Vector"]
        offset = self.math("MULTIPLY", self.chance(), 37.0) if shift is None else shift
        moved = self.node("VectorMath", operation="ADD")
        self.put(moved.inputs[0], source)
        self.put(moved.inputs[1], offset)
        return self.scaled(moved.outputs[0], scale)

    def position(self, scale: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Any:
        """World-like object coordinates in scene units, scaled per axis."""
        return self.scaled(self.node("TexCoord").outputs["Object"], scale)

    def scaled(self, vector: Any, scale: tuple[float, float, float]) -> Any:
        """Multiply a vector socket per axis."""
        made = self.node("VectorMath", operation="MULTIPLY")
        self.put(made.inputs[0], vector)
        made.inputs[1].default_value = scale
        return made.outputs[0]

    def along(self) -> Any:
        """The mesh's `along` value: 0 at the base, 1 at the tip, above 1 inside a hollow."""
        return self.node("Attribute", attribute_name="along").outputs["Fac"]

    def chance(self) -> Any:
        """A number in [0, 1] that differs from object to object."""
        return self.node("ObjectInfo").outputs["Random"]

    def noise(self, vector: Any, scale: float, detail: float = 6.0, warp: float = 0.0, rough: float = 0.55) -> Any:
        """Fractal noise, about 0..1 around 0.5. `scale` is features per unit of `vector`; `warp` distorts it."""
        made = self.node("TexNoise")
        self.put(made.inputs["Vector"], vector)
        for key, value in (("Scale", scale), ("Detail", min(detail, 5.0)), ("Distortion", warp), ("Roughness", rough)):
            made.inputs[key].default_value = value
        return made.outputs["Fac"]

    def cells(self, vector: Any, scale: float, feature: str = "F1") -> Any:
        """Voronoi distance; with feature DISTANCE_TO_EDGE it is small on the borders between cells."""
        made = self.node("TexVoronoi", feature=feature)
        self.put(made.inputs["Vector"], vector)
        made.inputs["Scale"].default_value = scale
        return made.outputs["Distance"]

    def math(self, operation: str, first: Any, second: Any = 0.0) -> Any:
        """A scalar operation, for example MULTIPLY, ADD, SUBTRACT, ABSOLUTE, POWER, SINE, ARCTAN2."""
        made = self.node("Math", operation=operation)
        self.put(made.inputs[0], first)
        self.put(made.inputs[1], second)
        return made.outputs[0]

    def span(self, value: Any, low: float, high: float, out_low: float = 0.0, out_high: float = 1.0) -> Any:
        """Map `value` from low..high to out_low..out_high, smoothly and clamped."""
        made = self.node("MapRange", interpolation_type="SMOOTHSTEP", clamp=True)
        self.put(made.inputs["Value"], value)
        for index, number in enumerate((low, high, out_low, out_high), start=1):
            made.inputs[index].default_value = number
        return made.outputs["Result"]

    def ramp(self, value: Any, stops: Stops) -> Any:
        """Colour by value: `stops` are (position in 0..1, linear RGB)."""
        made = self.node("ValToRGB")
        elements = made.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (place, colour) in zip(elements, stops, strict=True):
            element.position = place
            element.color = (*colour, 1.0)
        self.put(made.inputs["Fac"], value)
        return made.outputs["Color"]

    def mix(self, amount: Any, first: Any, second: Any, blend: str = "MIX") -> Any:
        """Blend two colours; `amount` 0 gives the first."""
        made = self.node("MixRGB", blend_type=blend)
        self.put(made.inputs[0], amount)
        self.put(made.inputs[1], first)
        self.put(made.inputs[2], second)
        return made.outputs[0]

    def bump(self, height: Any, strength: float, distance: float, below: Any = None) -> Any:
        """A normal from a height (0..1); `distance` is the depth in scene units, `below` an earlier bump."""
        made = self.node("Bump")
        self.put(made.inputs["Height"], height)
        made.inputs["Strength"].default_value = strength
        made.inputs["Distance"].default_value = distance
        if below is not None:
            self.put(made.inputs["Normal"], below)
        return made.outputs["Normal"]

    def finish(self, colour: Any, rough: Any, normal: Any = None, **inputs: Any) -> Any:
        """Plug the results into the BSDF and return the material; `inputs` use names like Coat_Weight."""
        self.put(self.bsdf.inputs["Base Color"], colour)
        self.put(self.bsdf.inputs["Roughness"], rough)
        if normal is not None:
            self.put(self.bsdf.inputs["Normal"], normal)
        for key, value in inputs.items():
            self.put(self.bsdf.inputs[key.replace("_", " ")], value)
        return self.material
