import base64
import subprocess
import sys

import pytest

from service.errors import StartError
from service.settings import load_settings
from tests.conftest import ROOT

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
KEY = base64.b64encode(bytes(range(32))).decode()


def test_secrets_are_decoded_and_not_shown() -> None:
    settings = load_settings(webhook_hosts="a.test, *.B.test", webhook_secret=SECRET, photo_key=KEY)
    assert settings.webhook_bytes == settings.photo_bytes == bytes(range(32))
    assert settings.webhook_hosts == ("a.test", "*.b.test")
    assert KEY not in repr(settings) and SECRET not in repr(settings)
    assert load_settings().webhook_bytes == b"" and load_settings().photo_bytes is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"webhook_hosts": "a.test"}, "webhook_secret"),
        ({"webhook_hosts": "127.0.0.1", "webhook_secret": SECRET}, "host name"),
        ({"webhook_secret": "whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"webhook_secret": SECRET.removeprefix("whsec_")}, "24 to 64 bytes"),
        ({"photo_key": "c2hvcnQ="}, "32 bytes"),
        ({"photo_key": "no base64!"}, "32 bytes"),
        ({"retention_hours": -1}, "retention_hours"),
        ({"store": "postgresql://ann:c2hvcnQ@db/faunalens"}, "the setting database"),
    ],
)
def test_what_is_wrong_is_named_without_the_secret(changes: dict[str, object], message: str) -> None:
    with pytest.raises(StartError, match=message) as caught:
        load_settings(**changes)
    assert "c2hvcnQ" not in str(caught.value)


def test_a_service_without_batches_imports_none_of_it() -> None:
    code = (
        "import sys; from service.api.app import create_app; from service.settings import Settings; "
        "create_app(Settings(auth='off')); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'sqlalchemy', 'alembic', 'cryptography'}), "
        "[name for name in sys.modules if name.startswith(('service.bulk', 'service.store'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_without_the_extra_the_start_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sqlalchemy'] = None; from service.api.app import create_app; "
        "from service.settings import Settings; create_app(Settings(auth='off', batches='on'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "pip install '.[review]'" in done.stderr and "StartError" in done.stderr
