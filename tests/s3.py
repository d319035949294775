"""An S3 server on this machine, and the environment in which obstore finds it."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

SECRET = "wJalrXUtnFEMI-secret"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true",
}  # fmt: skip


@contextlib.contextmanager
def s3() -> Iterator[str]:
    """The server's address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        running.stop()


@contextlib.contextmanager
def s3_client(address: str) -> Iterator[Any]:
    """boto3's client of the server at ``address``; its connections are closed at the end."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key=SECRET
    )
    with contextlib.closing(client):
        yield client


def make_bucket(address: str, name: str) -> None:
    """An empty bucket."""
    with s3_client(address) as client:
        client.create_bucket(Bucket=name)
