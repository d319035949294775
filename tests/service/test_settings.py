import json
from pathlib import Path

import pytest

from service.errors import StartError
from service.settings import load_settings


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "faunalens.toml"
    file.write_text('port = 9001\nhost = "0.0.0.0"\n')
    monkeypatch.setenv("FAUNALENS_CONFIG", str(file))
    monkeypatch.setenv("FAUNALENS_PORT", "9002")
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 9002)
    assert load_settings(port=9003).port == 9003


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FAUNALENS_PORT", "99999", "port"),
        ("FAUNALENS_MAX_BYTES", "0", "max_bytes"),
        ("FAUNALENS_QUEUE", "many", "queue"),
        ("FAUNALENS_LOG_LEVEL", "loud", "log_level"),
        ("FAUNALENS_TREADS", "2", "FAUNALENS_TREADS"),
        ("FAUNALENS_CONFIG", "/nowhere.toml", "nowhere"),
        ("FAUNALENS_DECODE_SECONDS", "inf", "decode_seconds"),
        ("FAUNALENS_DECODER_BYTES", "99999999999999999999", "decoder_bytes"),
        ("FAUNALENS_RETENTION_HOURS", "inf", "retention_hours"),
        ("FAUNALENS_EVIDENCE_HOURS", "1e9", "evidence_hours"),
        ("FAUNALENS_MAX_BYTES", "2000000001", "max_bytes"),
        ("FAUNALENS_READ_SECONDS", "inf", "read_seconds: Input should be a finite number"),
        ("FAUNALENS_BODY_SECONDS", "Infinity", "body_seconds"),
        ("FAUNALENS_CACHE_SECONDS", "nan", "cache_seconds"),
        ("FAUNALENS_MAX_WAIT_RATIO", "inf", "max_wait_ratio"),
        ("FAUNALENS_BATCH_UPLOAD_SECONDS", "inf", "batch_upload_seconds"),
        ("FAUNALENS_DRIFT_PSI", "inf", "drift_psi"),
        ("FAUNALENS_PHOTOS", "ftp://x", "^invalid settings: photos must begin"),
        (
            "FAUNALENS_CORS_ORIGINS",
            "https://a.example,https://b.example/",
            "cors_origins: https://b.example/ is not an",
        ),
        ("FAUNALENS_PROVIDERS", "gpu", r"^invalid settings: providers\.0: Input should be 'cpu', [^;]*$"),
        ("FAUNALENS_CORS_ORIGINS", "moderation.example", "cors_origins: moderation.example is not an origin"),
        ("FAUNALENS_CORS_ORIGINS", "https://Moderation.example", "is not an origin"),
        ("FAUNALENS_TRUSTED_PROXIES", "10.0.0.1/8", "trusted_proxies: not an address or a network: .*host bits set"),
        ("FAUNALENS_TRUSTED_PROXIES", "127.0.0.1, proxy", "trusted_proxies: not an address or a network: 'proxy'"),
        ("FAUNALENS_TRUSTED_PROXIES", "*, 127.0.0.1", "trusted_proxies: not an address or a network"),
    ],
)
def test_bad_settings_are_named(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StartError, match=message):
        load_settings()


def test_unknown_variables_are_named_and_those_of_kubernetes_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAUNALENS_PROT", "9001")
    with pytest.raises(StartError, match=r"unknown settings: FAUNALENS_PROT \(docs/settings\.md lists them all\)"):
        load_settings()
    monkeypatch.setenv("FAUNALENS_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(
        StartError, match=r"FAUNALENS_SERVICE_HOST \(a Kubernetes Service .* enableServiceLinks: false\)"
    ):
        load_settings()


def test_variables_count_in_any_case_and_unknown_ones_are_named_in_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("faunalens_port", "9001")
    assert load_settings().port == 9001
    for name in ("faunalens_prot", "faunalens_config"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "9001")
            with pytest.raises(StartError, match=f"unknown settings: {name} "):
                load_settings()


@pytest.mark.parametrize("value", ["", "  ", "\r"])
def test_an_empty_value_counts_as_not_set(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the current folder for a path, and every address for the host."""
    names = ("MODEL", "POLICIES", "KEYS", "STORE", "EVIDENCE_KEY", "SHADOW_MODEL", "HOST", "PORT", "AUTH", "POLICY")
    monkeypatch.delenv("FAUNALENS_AUTH", raising=False)
    plain = load_settings()
    for name in (*names, "CONFIG"):
        monkeypatch.setenv(f"FAUNALENS_{name}", value)
    assert load_settings() == plain
    file = tmp_path / "faunalens.toml"
    file.write_text("".join(f"{name.lower()} = {json.dumps(value)}\n" for name in names))
    monkeypatch.setenv("FAUNALENS_CONFIG", str(file))
    assert load_settings() == plain


def test_an_empty_variable_leaves_the_file_its_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "faunalens.toml"
    file.write_text("port = 9001\n")
    monkeypatch.setenv("FAUNALENS_CONFIG", f"{file}\r")
    monkeypatch.setenv("FAUNALENS_PORT", "")
    assert load_settings().port == 9001


def test_what_env_files_leave_around_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAUNALENS_STORE", " /data\r")
    monkeypatch.setenv("FAUNALENS_POLICY", "sensitive\r\n")
    settings = load_settings()
    assert (settings.store, settings.policy) == (Path("/data"), "sensitive")
    monkeypatch.setenv("FAUNALENS_STORE", "'/data'")
    monkeypatch.setenv("FAUNALENS_PORT", '"9000"')
    with pytest.raises(StartError, match=r"^invalid settings: the value of port, store is in quotes, [^\n]*$"):
        load_settings()


@pytest.mark.parametrize("value", ["", "*", "https://a.example, http://localhost:3000", "https://[::1]:8443,"])
def test_origins_that_a_browser_names(value: str) -> None:
    assert load_settings(cors_origins=value).cors_origins == value


@pytest.mark.parametrize("value", ["", "*", "127.0.0.1, 10.0.0.0/8", "::1,fd00::/8,"])
def test_proxies_by_address_and_network(value: str) -> None:
    assert load_settings(trusted_proxies=value).trusted_proxies == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prot = 9001", r"^unknown settings in .*faunalens\.toml: prot \(docs/settings\.md"),
        ("FAUNALENS_PORT = 9001", r": FAUNALENS_PORT \(.*in lower case and without FAUNALENS_"),
        ("[server]\nport = 9001", ": server "),
        ("cache = true", "^invalid settings: cache is true or false"),
        ("audit_rate = true\nretention_hours = 24", "^invalid settings: audit_rate is true or false"),
        ("batches = true", "^invalid settings: batches is true or false"),
    ],
)
def test_what_is_wrong_with_a_key_of_the_file(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "faunalens.toml"
    file.write_text(line + "\n")
    monkeypatch.setenv("FAUNALENS_CONFIG", str(file))
    with pytest.raises(StartError, match=message):
        load_settings()


@pytest.mark.parametrize("content", [b"port =\n", b"\xff"])
def test_a_file_that_is_no_toml(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "faunalens.toml"
    file.write_bytes(content)
    monkeypatch.setenv("FAUNALENS_CONFIG", str(file))
    with pytest.raises(StartError, match=r"FAUNALENS_CONFIG names .* cannot be read"):
        load_settings()


def test_a_second_opinion_needs_keys() -> None:
    with pytest.raises(StartError, match="second_opinion needs auth=on"):
        load_settings(second_opinion="confirm", auth="off")
