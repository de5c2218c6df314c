"""macOS's sandbox: a profile that this process puts on itself, for ever, without any privilege.

sandbox_init(3) is marked deprecated, and is what browsers confine their decoders with all the same.
The profiles say what is denied, so that a library's harmless new need does not break a stage:
Apple documents neither the language nor what its own libraries use.
"""

from __future__ import annotations

import ctypes
import errno
import sys
from collections.abc import Iterable
from pathlib import Path

# The decoder: bytes from strangers. It reads its job folder, the programs it consists of and the
# system's; it writes into its job folder; it starts nothing, connects to nobody, asks no service
# that would act for it (open an application, the keychain, the clipboard) and signals nobody.
_DECODER = """
(version 1)
(allow default)
(deny network*)
(deny process-exec*)
(deny process-fork)
(deny signal)
(allow signal (target self))
(deny file-write*)
(deny file-read* (subpath "/Users") (subpath "/Volumes") (subpath "/private/var"))
(allow file-read-metadata)
(allow file-read* {readable})
(allow file-read* file-write* {writable})
(allow file-write-data (literal "/dev/null"))
(deny mach-lookup
    (global-name "com.apple.coreservices.launchservicesd")
    (global-name "com.apple.coreservices.appleevents")
    (global-name "com.apple.lsd.open")
    (global-name "com.apple.SecurityServer")
    (global-name "com.apple.securityd")
    (global-name "com.apple.pasteboard.1"))
"""

# The models: no network, and nothing written but what is theirs.
_MODEL = """
(version 1)
(allow default)
(deny network*)
(deny file-write*)
(allow file-write* {writable} (subpath "/dev") (subpath "/private/var/folders"))
"""


def is_available() -> bool:
    if sys.platform != "darwin":
        return False
    return hasattr(ctypes.CDLL(None), "sandbox_init")


def decoder_profile(readable: Iterable[Path], writable: Iterable[Path]) -> str:
    return _DECODER.format(readable=_filters(readable), writable=_filters(writable))


def model_profile(writable: Iterable[Path]) -> str:
    return _MODEL.format(writable=_filters(writable))


def enter(profile: str) -> None:
    """Raises OSError, with the system's words, if it does not take the profile."""
    library = ctypes.CDLL(None)
    library.sandbox_init.argtypes = (
        ctypes.c_char_p,
        ctypes.c_uint64,
        ctypes.POINTER(ctypes.c_char_p),
    )
    words = ctypes.c_char_p()
    if library.sandbox_init(profile.encode(), 0, ctypes.byref(words)) != 0:
        raise OSError(errno.EPERM, (words.value or b"").decode(errors="replace"))


def _filters(paths: Iterable[Path]) -> str:
    """As (subpath "…") filters, of real paths: the sandbox does not follow links."""
    return " ".join(f"(subpath {_quoted(str(path.resolve()))})" for path in paths)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
