"""Rendered training scenes: wildlife products and their look-alikes, made with Blender's `bpy` module.

Every picture is procedural (meshes, materials and floors are computed, no third-party photo is used), and every product
scene has a twin with the same camera, light and floor that shows a harmless look-alike. Rendering needs the extra
`scenes` (the package `bpy`, about 350 MB, Python 3.11); importing this package does not.

    python -m training.scenes OUT --count 40 --seed 1 --size 320 --samples 24 --backgrounds PHOTOS
"""
