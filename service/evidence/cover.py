"""The cover page of a package: one HTML file without scripts or anything from elsewhere, to be read and printed."""

import base64
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from service.store.kinds import last_of, standing

_STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } code { overflow-wrap: anywhere; font-size: .85em; }
img { max-width: 100%; height: auto; } summary { cursor: pointer; padding: .5rem 0; }
.note { border-left: .25rem solid var(--line); padding-left: 1rem; }
@media print { h2 { break-before: page; } }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def cover(manifest: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The page for ``manifest``. ``pictures``: heat maps, PNG by their path; the first of each photo is embedded."""
    signer = manifest["signer"]
    about = [
        ("Subject", manifest["subject"]), ("Reference", manifest["reference"] or "none given"),
        ("Written", f"{manifest['created_at']} by {manifest['created_by'] or 'unnamed'}"),
        ("Software", f"{manifest['software']['name']} {manifest['software']['version']}"),
        ("Photos", f"{len(manifest['photos'])}, of which {_missing(manifest)} without their bytes"),
        ("Signed by", f"Ed25519 key with the fingerprint {signer['fingerprint']}"),
        ("Log of decisions", f"entries {manifest['log']['first']} onwards; head {manifest['log']['head']}"),
    ]  # fmt: skip
    body = [
        "<h1>Evidence package</h1>", f'<p class="note">{escape(manifest["statement"])}</p>', _pairs(about),
        "<p>All times are UTC. Photos are behind the words “Show”, because they may distress. This page is a reading "
        "aid; what counts is <code>manifest.json</code> and what it names. To check the package without a network: "
        "<code>faunalens evidence verify FILE --key SIGNER.pem</code>. Compare the fingerprint with one that you got "
        "from the signer by another way.</p>",
        *(_photo(number, photo, pictures) for number, photo in enumerate(manifest["photos"], 1)),
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evidence: {escape(manifest['subject'])}</title><style>{_STYLE}</style></head>\n<body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def _photo(number: int, photo: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    record = photo["record"]
    facts = [
        ("File", photo["file"]), ("Listing", photo["listing_id"] or "none given"), ("URL", photo["url"] or "none"),
        ("Source", photo["source"] or "none given"), ("SHA-256", photo["sha256"] or "none"),
        ("Original", photo["path"] or f"not in the package: {photo['missing']}"), ("Result", photo["result"]),
        ("Decision", _decision(photo["decisions"])),
    ]  # fmt: skip
    parts = [f"<h2>Photo {number}</h2>", _pairs(facts)]
    if photo["sha256"]:
        model, policy = record["model"], record["policy"]
        parts.append(
            _pairs(
                [
                    ("Verdict", f"{record['verdict']}: asks a person to look, nothing more"),
                    ("Model", f"{model['name']}, SHA-256 {model['sha256']}"),
                    ("Policy", f"{policy['name']} version {policy['version']}, SHA-256 {policy.get('sha256', 'none')}"),
                    ("Judged again", _again(photo["recomputed"])),
                ]
            )
        )
        parts.append(_findings(record["findings"]))
        parts += [_picture(one, pictures) for one in photo["heatmaps"][:1]]
    rows = ([one["at"], one["event"], one["by"] or "", one["detail"]] for one in photo["custody"])
    parts += ["<h3>Chain of custody</h3>", _table(("Time (UTC)", "What", "By", "Detail"), rows)]
    return "\n".join(parts)


def _decision(decisions: list[dict[str, Any]]) -> str:
    """The last decision that was not taken back."""
    last = last_of(standing(decisions))
    if last is None:
        return "none stands"
    what = f"{last['decision']} {last['category']}" if last["category"] else last["decision"]
    final = "" if last.get("state", "decided") == "decided" else f", not final: {last['state']}"
    return f"{what}, by {last['moderator'] or 'unnamed'} at {last['decided_at']}{final}"


def _findings(findings: list[dict[str, Any]]) -> str:
    if not findings:
        return "<p>No category reached its threshold.</p>"
    rows = (
        [
            one["name"], f"{one['probability']:.4f}", f"{one['threshold']:.4f}",
            "; ".join(f"{listing['taxon']}: {listing['appendix']}" for listing in one["cites"]),
        ]
        for one in findings
    )  # fmt: skip
    return _table(("Finding", "Probability", "Threshold", "CITES listing, as information"), rows)


def _picture(heatmap: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    data = base64.b64encode(pictures[heatmap["path"]]).decode("ascii")
    words = f"photo under the heat map of {heatmap['category']}"
    return (
        f"<details><summary>Show the {escape(words)}</summary>"
        f'<img alt="The {escape(words)}" src="data:image/png;base64,{data}"></details>'
    )


def _again(again: Mapping[str, Any] | None) -> str:
    if again is None or again["largest_difference"] is None:
        return "not possible"
    model = "the same model" if again["same_model"] else "another model"
    return f"by {model} when this was written: scores differ by {again['largest_difference']:.2g} at most"


def _missing(manifest: Mapping[str, Any]) -> int:
    return sum(photo["path"] is None for photo in manifest["photos"])


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = (
        f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(str(value))}</code></td></tr>'
        for name, value in pairs
    )
    return f"<table>{''.join(rows)}</table>"


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
