"""The HTTP client of a transport that was given none, as the environment wants it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from rxstream.errors import ConnectError
from rxstream.errors._redaction import note_secrets
from rxstream.transport.http._address import host_and_port, is_loopback, secrets_in

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


def make_client(base_url: str) -> httpx.AsyncClient:
    """A client for `base_url`, with the proxies and the certificates that the environment names.

    Neither this machine nor a host in NO_PROXY is reached through a proxy: httpx would send the key of a local server
    to it. So a proxy that cannot be used does not matter for them.

    Raises:
        ConnectError: a proxy or a certificate of the environment cannot be used. The message has its variable, and not
            its value, which may hold a password.
    """
    where = host_and_port(base_url)
    problem, names = "", _PROXIES
    try:
        direct = is_loopback(base_url) or bool(proxy_bypass(urlsplit(base_url).hostname or ""))
        if not direct:
            note_secrets(secret for url in getproxies().values() for secret in secrets_in(url))
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return httpx.AsyncClient(limits=limits, verify=httpx.create_ssl_context(), trust_env=not direct)
    except ImportError:
        problem = "a SOCKS proxy needs one package more: pip install 'rxstream[socks]'"
    except OSError:
        problem, names = "the file of certificates or of keys cannot be read", _CERTIFICATES
    except (httpx.InvalidURL, ValueError):
        problem = "a proxy is an address like http://proxy.example:3128"
    set_ones = [name for name in os.environ if name.upper() in names and os.environ[name]]
    raise ConnectError(
        f"cannot reach {where} with what the environment says in {' and '.join(set_ones)}: {problem}",
        should_retry=False,
    )
