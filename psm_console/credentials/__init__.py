"""Keys, and the secrets behind accounts; a secret is in no repr, log, argv or error text."""

from .ca import (
    CA_COMMENT,
    HostCa,
    HostIdentity,
    known_hosts_line,
    promote,
    read_public,
)
from .certificate import CERTIFICATES, parse_certificate
from .errors import CredentialError
from .keys import (
    NAMESPACE,
    PRINCIPAL,
    ensure_key,
    ensure_signers,
    load_key,
    make_key,
    public_line,
    signers_line,
)
from .opening import (
    Credential,
    KeyCredential,
    PasswordCredential,
    check_credential,
    open_credential,
)
from .public_key import PublicKey, fingerprint, parse_public_key
from .secret import Secret
from .totp import check_totp, matching_step

__all__ = [
    "CA_COMMENT",
    "CERTIFICATES",
    "NAMESPACE",
    "PRINCIPAL",
    "Credential",
    "CredentialError",
    "HostCa",
    "HostIdentity",
    "KeyCredential",
    "PasswordCredential",
    "PublicKey",
    "Secret",
    "check_credential",
    "check_totp",
    "ensure_key",
    "ensure_signers",
    "fingerprint",
    "known_hosts_line",
    "load_key",
    "make_key",
    "matching_step",
    "open_credential",
    "parse_certificate",
    "parse_public_key",
    "promote",
    "public_line",
    "read_public",
    "signers_line",
]
