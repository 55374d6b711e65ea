"""``make fuzz``: each target for a time, guided by coverage (atheris). What breaks one is left in ``.cache/fuzz``."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from contextlib import redirect_stderr

from tests.tooling import ROOT

FOLDER = ROOT / ".cache" / "fuzz"
#: The longest that one input may take: all of them are linear in their size.
INPUT_WITHIN_S = 5
MEMORY_MIB = 2_048
INSTRUMENTED = ["channels_progress", "json", "urllib.parse", "django.core.signing", "django.http"]
SEEDS: dict[str, tuple[bytes, ...]] = {
    "frames": (
        b'{"type":"subscribe","token":"t","channel":"task:1","since":{"task:1":["e",7]},"ref":1}',
        b'{"type":"subscribe","channels":["a","\\ud800"]}',
        b'{"type":"subscribe","audiences":true}',
        b'{"type":"ack_message","id":7}',
        b'{"type":"unsubscribe","channel":"a"}',
        b'{"type":"ping"}',
    ),
    "tokens": (b".eJyLVgIAARUAuQ~", b"WzIsInVzZXI6MSIsMSxbImEiXSxbXSxudWxsLDBd~" + b"A" * 43),
    "queries": (b'page=abc&format=html&since=7&subscription_token=a~b&extraChannels=["a","b",3]',),
    "origins": (b"site.example:8000\nhttps://site.example", b"[::1]\nhttp://[::1]:80", b"a\nnull"),
}


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which libFuzzer then ends."""
    import atheris
    from django.conf import settings

    # Not the suite's: the fewer modules are instrumented, the more inputs are tried.
    settings.configure(SECRET_KEY="not-secret-only-for-fuzzing", ALLOWED_HOSTS=["*"])
    # It tells of each module on stderr.
    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS

    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_WITHIN_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        "-max_len=8192",
        f"-artifact_prefix={corpus}-broken-",
        "-verbosity=0",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Exit status: 0 where every target has kept its promises."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", choices=SEEDS)
    options = parser.parse_args()
    if options.target:
        fuzz(options.target, options.seconds)
    broken = []
    for name in SEEDS:
        print(f"== {name}, {options.seconds} s", flush=True)
        command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--seconds", str(options.seconds)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            broken.append(name)
    print(f"broken: {', '.join(broken)}; see {FOLDER}" if broken else "Nothing broke.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
