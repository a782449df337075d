"""Which requests are accepted, decided from their headers alone, before anything else is read.

A page in a browser can reach a server on this machine. It cannot send the token, but a name of its own that points
to this machine, or a form that it posts, must not get any further than a stranger on the network.
"""

import hmac
import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Protocol

import attrs

from .refusals import RefusalError

TOKEN_HEADER = "X-LINQ-INTEGRATION-TOKEN"  # noqa: S105
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?")
READING = frozenset({"GET", "HEAD"})
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
"""Headers by which a proxy shows that it forwards a request."""
OWN_SITES = frozenset({"same-origin", "none"})


class Headers(Protocol):
    """The one method of the headers that is used."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """Return every value of a header."""
        ...


@attrs.frozen
class Guard:
    """Refuses requests that come by a foreign name, from a foreign page, encoded, or without the token."""

    token: str = attrs.field(repr=False)
    hosts: frozenset[str]
    """Names and addresses beside those of loopback, as `host_name` writes them."""

    def refusal(self, headers: Headers, address: str | None, *, embeddable: bool = False) -> RefusalError | None:
        """Return why a request is refused that came to an address of this machine; the token is not looked at.

        What is embeddable, such as a picture, may be shown by pages of other sites, but not read by them.
        """
        hosts = headers.getall("Host", [])
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        # A page cannot take an address for its name, so the one that was connected to is safe.
        is_address = address is not None and name == host_name(bracketed(address))
        if name is None or not (is_loopback(name) or name in self.hosts or is_address):
            return RefusalError(
                421, "misdirected_request", "This Host is not allowed. See --allow-host, or Sandbox(allow_hosts=)"
            )
        own = f"http://{hosts[0]}".lower()
        same_origin = all(origin.lower() == own for origin in headers.getall("Origin", []))
        same_site = OWN_SITES.issuperset(headers.getall("Sec-Fetch-Site", []))
        if not same_origin or not (embeddable or same_site):
            return RefusalError(403, "forbidden", "Requests from other origins are refused")
        if headers.getall("Content-Encoding", []):
            return RefusalError(415, "unsupported_media_type", "Send the body without a Content-Encoding")
        return None

    def control_refusal(
        self, method: str, headers: Headers, address: str | None, peer: str | None
    ) -> RefusalError | None:
        """Return why a control call is refused that came to an address of this machine, from a peer.

        What runs on this machine needs no token, so that the page works at once. A proxy here may speak for others.
        """
        refusal = self.refusal(headers, address)
        if refusal is not None:
            return refusal
        names = (host_name(headers.getall("Host", [])[0]), host_name(bracketed(peer or "")))
        local = all(name is not None and is_loopback(name) for name in names)
        if (not local or any(headers.getall(one, []) for one in FORWARDED)) and not self.has_token(headers):
            return RefusalError(401, "unauthorized", "From another machine, this needs the token of the sandbox")
        kinds = [kind.partition(";")[0].strip().lower() for kind in headers.getall("Content-Type", [])]
        if method not in READING and kinds != ["application/json"]:
            return RefusalError(415, "unsupported_media_type", "Send JSON with Content-Type: application/json")
        return None

    def has_token(self, headers: Headers) -> bool:
        """Return whether a request carries the token."""
        given = headers.getall(TOKEN_HEADER, [])
        return len(given) == 1 and hmac.compare_digest(given[0].encode("utf-8", "surrogateescape"), self.token.encode())


@lru_cache(maxsize=256)
def host_name(host: str) -> str | None:
    """Read the name or address in a Host header, in lower case; an address in its shortest form."""
    found = HOST.fullmatch(host)
    if found is None:
        return None
    name = found[1]
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return None if name.startswith("[") else name.lower().removesuffix(".") or None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def bracketed(address: str) -> str:
    """Return an address as URLs contain it, without a zone."""
    bare = address.partition("%")[0]
    return f"[{bare}]" if ":" in bare else bare


def is_loopback(name: str) -> bool:
    """Return whether a name from `host_name` can only mean this machine."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def checked_hosts(argument: str, given: Iterable[str]) -> frozenset[str]:
    """Return the names and addresses in an argument as `host_name` writes them.

    Raises:
        ValueError: If one of them is not a name or an address.
    """
    if isinstance(given, str):
        raise ValueError(f"{argument} must be several strings, not one")
    found: set[str] = set()
    for host in given:
        name = host_name(bracketed(host) if host.count(":") > 1 and not host.startswith("[") else host)
        if name is None:
            raise ValueError(f"{argument} must be names or addresses, such as sandbox.internal, not {host!r}")
        found.add(name)
    return frozenset(found)


def allowed_hosts(listening: str, given: Iterable[str]) -> frozenset[str]:
    """Return the names that a sandbox accepts as Host: the one that it listens on, and the given ones."""
    own = host_name(bracketed(listening))
    return checked_hosts("allow_hosts", given) | (frozenset[str]() if own is None else {own})
