"""One attempt to deliver: sign the body, send it, and read no more than the status."""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable

import aiohttp
import attrs
from yarl import URL

from linq_async.sandbox.guard import bracketed, checked_hosts, host_name, is_loopback

SIGNATURE_HEADER = "X-Webhook-Signature"
RESPONSE_SECONDS = 10.0
# Also the number of deliveries that are made at the same time.
MAX_CONNECTIONS = 50
USER_AGENT = "linq_async-sandbox"


@attrs.frozen
class PostResult:
    """The status of the response, or why there is none."""

    status: int | None = None
    error: str | None = None
    final: bool = False
    """Whether another attempt would end in the same way."""


def sign(body: bytes, secret: str) -> str:
    """Return the signature of a body: the HMAC-SHA256 of its bytes under the bytes of the secret."""
    key = secret.encode("utf-8", "surrogatepass")
    return f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"


class Poster:
    """Sends bodies to the receivers of webhooks on this machine, and on the hosts that are allowed."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self.hosts: frozenset[str] = checked_hosts("webhook_hosts", hosts)
        self.response_seconds: float = RESPONSE_SECONDS
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, secret: str | None) -> PostResult:
        """Send a body, and return the status of the response; redirects are not followed."""
        try:
            target = URL(url)
            if not self._is_allowed(target):
                return PostResult(error="the host is not allowed", final=True)
            async with (
                asyncio.timeout(self.response_seconds),
                self._open().post(target, data=body, headers=_headers(body, secret), allow_redirects=False) as response,
            ):
                return PostResult(response.status)
        except TimeoutError:
            return PostResult(error=f"no response within {self.response_seconds:g} s")
        except aiohttp.ClientConnectorError:
            return PostResult(error="cannot connect")
        except ValueError:
            return PostResult(error="the URL is not valid", final=True)
        except (aiohttp.ClientError, OSError):
            return PostResult(error="the connection broke, or the response is not HTTP")

    def _is_allowed(self, url: URL) -> bool:
        name = host_name(bracketed(url.host or ""))
        return name is not None and (is_loopback(name) or name in self.hosts)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # A connection for each attempt, so that no attempt fails because of an earlier one.
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _headers(body: bytes, secret: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    return {**headers, SIGNATURE_HEADER: sign(body, secret)} if secret else headers
