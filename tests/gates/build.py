"""`sam build`, and the layer for both architectures from wheels and hashes alone.

It proves that the deployment builds with no Docker, account or Python 3.13; that every dependency is pinned
with a hash and has a wheel for the Lambda runtime; that the layer is complete and well below Lambda's limit.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from tests.gates.deployment import ROOT

SAM = Path(sys.executable).parent.parent / "sam/bin/sam"
LIMIT = 250 * 1024 * 1024
"""Bytes of a function with its layers: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
UNWANTED = ("__pycache__", "requirements.txt", "Makefile")
IMPORTS = "boto3, isal.igzip_lib, pydantic, requests, aws_lambda_powertools.metrics, logferry.models.request"


def built(scratch: Path) -> Path:
    """Run `sam build` into `scratch`; give the layer's folder."""
    command = [str(SAM), "build", "--build-dir", str(scratch / "sam"), "--base-dir", str(ROOT)]
    _run([*command, "--template-file", str(ROOT / "template.yaml")], cwd=scratch)
    return scratch / "sam" / "LogferryLayer"


def layer(target: Path, architecture: str) -> Path:
    """Build the layer alone, for one architecture, the way that `sam build` does."""
    site = target / architecture
    _run(
        ["make", "build-LogferryLayer", f"ARTIFACTS_DIR={site}", f"PLATFORM={architecture}"],
        cwd=ROOT / "layers/logferry",
    )
    return site


def size(folder: Path) -> int:
    """Give a folder's bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def imports_alone(site: Path) -> bool:
    """Import what functions use from the layer and nothing else; False where this machine cannot run it."""
    if (sys.version_info[:2], sys.platform, platform.machine()) != ((3, 13), "linux", site.name):
        return False
    environment = {"PATH": os.defpath, "PYTHONPATH": str(site / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    _run([sys.executable, "-S", "-c", f"import {IMPORTS}"], cwd=site, env=environment)
    return True


def _run(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, cwd=cwd, env=env, check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)


def main() -> int:
    """Build and measure; 0 if everything is as it should be."""
    scratch = Path(sys.argv[1])
    sites = [built(scratch), layer(scratch, "aarch64"), layer(scratch, "x86_64")]
    for site in sites:
        unwanted = [str(path) for path in site.rglob("*") if path.name in UNWANTED]
        if unwanted or not (site / "python/logferry/py.typed").is_file() or size(site) > LIMIT:
            print(f"{site}: {size(site)} bytes, with {unwanted}")
            return 1
    ran = [site.name for site in sites if imports_alone(site)]
    megabytes = " and ".join(f"{size(site) / 1024**2:.1f} MiB ({site.name})" for site in sites[1:])
    print(
        f"the layer unpacks to {megabytes}, of 250; imported alone: {', '.join(ran) or 'not on this machine'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
