"""Secrets that a configuration refers to: a private key, a variable, a file, each with canaries; it signs nothing."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from runs import canaries
from runs.stage import Stage


def signing(stage: Stage) -> Path:
    """Let the stage sign in with a private key, marked before and behind it; return the key's file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    path = stage.folder / canaries.SECRETS / "sf.key"
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    mark = canaries.mark(canaries.PRIVATE_KEY)
    path.write_text(f"{mark}\n{pem}{mark}\n", encoding="utf-8")
    stage.canaries.know(canaries.PRIVATE_KEY, "".join(pem.splitlines()[2:-2]))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stage.org.sessions.register_jwt(public.decode(), stage.settings["salesforce"]["client_id"])
    stage.configure(salesforce={"auth": "jwt", "username": "sync@example.com", "private_key_file": str(path)})
    return path


def referred_to(stage: Stage) -> dict[str, str]:
    """Keep one portal's credentials in the environment and a file, with marks of their own; return the environment."""
    portal, settings = stage.academy, stage.settings["portals"][0]
    portal.username, portal.password = canaries.secret(canaries.VARIABLE), canaries.secret(canaries.FILE)
    kept = stage.folder / canaries.SECRETS / "password"
    kept.parent.mkdir(exist_ok=True)
    kept.touch(mode=0o600)
    kept.write_text(portal.password + "\n", encoding="utf-8")
    settings |= {"username": "${USERNAME}", "password": f"${{file:{kept}}}"}
    return {"USERNAME": portal.username}
