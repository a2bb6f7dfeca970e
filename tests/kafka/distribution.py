"""Apache Kafka's own jars through Maven, cached outside the tree; no Docker.

``python -m tests.kafka.distribution`` fetches and tries them, or says what is missing and ends with 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

VERSION = "4.3.1"
ARTIFACTS = (("org.apache.kafka", "kafka_2.13", VERSION), ("org.slf4j", "slf4j-simple", "1.7.36"))
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
MAVEN_S = 600
TRY_S = 120
TUNING = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
POM = (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>local</groupId>'
    "<artifactId>kafka-for-tests</artifactId><version>1</version><dependencies>{}</dependencies></project>"
)


class KafkaMissing(RuntimeError):
    """Kafka cannot be obtained or run here; the message says what is missing."""


def home() -> Path:
    """The folder of this version's jars and class-data archive; shared by all checkouts of one user."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "consensus" / f"kafka-{VERSION}"


def jars() -> Path:
    """The folder with the jars, filled on first use (a minute). Raises KafkaMissing."""
    folder = home() / "jars"
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise KafkaMissing(f"the tests on real Kafka need {program}: install a JDK (17 or newer) and Maven")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="filling-") as temporary:
            _put_in_place(_copied(Path(temporary)), folder)
    return folder


def java(*arguments: str, archive: Sequence[str] = ()) -> list[str]:
    """A command line that runs one of Kafka's classes. ``archive``: options about the class-data archive."""
    paths = os.pathsep.join(str(path) for path in sorted(jars().glob("*.jar")))
    return ["java", *TUNING, *archive, "-cp", paths, *arguments]


def class_data() -> Path:
    """The class-data archive: halves the time of a start. It may not exist yet."""
    return home() / "classes.jsa"


def tried() -> None:
    """Run the smallest of Kafka's programs. Raises KafkaMissing, also for a Java that is too old for it."""
    command = java("kafka.tools.StorageTool", "random-uuid")
    done = subprocess.run(command, capture_output=True, text=True, timeout=TRY_S, check=False)
    if done.returncode:
        raise KafkaMissing(f"Kafka {VERSION} does not run on this Java (17 or newer):\n{done.stderr[-500:]}")


def _copied(folder: Path) -> Path:
    """Let Maven resolve and copy; returns the folder of the jars."""
    pom, target = folder / "pom.xml", folder / "jars"
    pom.write_text(POM.format("".join(DEPENDENCY.format(*artifact) for artifact in ARTIFACTS)), encoding="utf-8")
    command = ["mvn", "-q", "-B", "-f", str(pom), COPY, "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_S, check=False)
    except subprocess.TimeoutExpired:
        raise KafkaMissing(f"Maven did not fetch Kafka {VERSION} within {MAVEN_S} s") from None
    if done.returncode or not any(target.glob("kafka_*.jar")):
        raise KafkaMissing(f"Maven could not fetch Kafka {VERSION}:\n{(done.stdout + done.stderr)[-2_000:]}")
    return target


def _put_in_place(filled: Path, folder: Path) -> None:
    """Rename into place; another process that was quicker has done the same work."""
    try:
        filled.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


if __name__ == "__main__":
    try:
        tried()
    except KafkaMissing as missing:
        sys.exit(str(missing))
