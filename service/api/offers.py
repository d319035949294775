"""uvicorn's HTTP protocol for requests that offer another one, as Java's client does with HTTP/2.

They are read without the offer: uvicorn's parser would skip their body, and take what follows for the other protocol.
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OfferlessProtocol(HttpToolsProtocol):
    """One connection. The head of a request with an offer is parsed again without it, and only then told of."""

    _offers = False

    def feed(self, data: bytes) -> None:
        """Parse what came."""
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserError as error:
                self.send_400_response(str(error))
                return
            except httptools.HttpParserUpgrade as offer:
                if not self._offers:
                    return
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._offers = any(name == b"upgrade" for name, _ in self.headers) and self.parser.should_upgrade()
        if not self._offers:
            self.head_ended()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if not self._offers:
            self.request_ended()

    def head_ended(self) -> None:
        """The head of a request has ended."""
        super().on_headers_complete()

    def request_ended(self) -> None:
        """The request has ended."""
        super().on_message_complete()

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode("ascii")
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))
