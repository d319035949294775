"""``/docs`` and ``/redoc``: the API pages, with their scripts served from here, so that none is loaded from elsewhere.

The scripts of Swagger UI and Redoc (Apache-2.0, MIT) come with the package ``fastapi-offline``. A content security
policy lets the pages run these and nothing else; the one inline script of ``/docs`` is allowed by its hash.
"""

import base64
import hashlib
import importlib.resources
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from service.api.rules import ASSETS

_POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
_INLINE = re.compile(rb"<script>(.+?)</script>", re.DOTALL)


def install(app: FastAPI) -> None:
    """Add the pages; ``app`` must have been made with ``docs_url=None`` and ``redoc_url=None``."""
    folder = importlib.resources.files("fastapi_offline") / "static"
    # relative, so that a proxy may put the service below a path of its own
    assets = ASSETS.lstrip("/")
    app.mount(ASSETS.rstrip("/"), StaticFiles(directory=str(folder)), name="docs-assets")
    swagger = _guarded(
        get_swagger_ui_html(
            openapi_url="openapi.json", title=f"{app.title}: API", swagger_js_url=f"{assets}swagger-ui-bundle.js",
            swagger_css_url=f"{assets}swagger-ui.css", swagger_favicon_url=f"{assets}favicon.png",
        )
    )  # fmt: skip
    redoc = _guarded(
        get_redoc_html(
            openapi_url="openapi.json", title=f"{app.title}: API", redoc_js_url=f"{assets}redoc.standalone.js",
            redoc_favicon_url=f"{assets}favicon.png", with_google_fonts=False,
        )
    )  # fmt: skip

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return swagger

    @app.get("/redoc", include_in_schema=False)
    async def read() -> HTMLResponse:
        return redoc


def _guarded(page: HTMLResponse) -> HTMLResponse:
    """``page`` with the policy that allows its own scripts."""
    digests = (hashlib.sha256(script).digest() for script in _INLINE.findall(bytes(page.body)))
    scripts = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    page.headers["Content-Security-Policy"] = _POLICY.format(scripts=scripts)
    return page
