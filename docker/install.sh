#!/bin/sh
# Installs what serving needs, and nothing else, as the image does: docker/install.sh SOURCE PREFIX [CACHE]
# SOURCE is this repository, PREFIX a new virtual environment, CACHE the folder of the compiled kernels (default PREFIX/cache).
# Versions and hashes come from requirements/*.lock; the registry is whatever pip is set up for.
set -eu

[ $# -ge 2 ] || { echo "usage: $0 SOURCE PREFIX [CACHE]" >&2; exit 2; }
source=$1 prefix=$2 cache=${3:-$2/cache}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1

# The builder's tools stay out of the environment that is shipped, pip among them.
python3 -m venv "$work/build"
"$work/build/bin/pip" install --quiet --no-deps --require-hashes -r "$source/requirements/build.lock"
"$work/build/bin/pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheel" "$source"

python3 -m venv --without-pip "$prefix"
"$work/build/bin/pip" --python "$prefix" install --quiet --no-deps --require-hashes --only-binary :all: -r "$source/requirements/serve.lock"
"$work/build/bin/pip" --python "$prefix" install --quiet --no-deps --no-index "$work"/wheel/leadscore-*.whl

# Image layers keep whole seconds only, and numba takes a cached kernel only if its source's time is what it was.
"$prefix/bin/python" - <<'END'
import os, pathlib, sysconfig

for path in pathlib.Path(sysconfig.get_path("purelib")).rglob("*.py"):
    seconds = int(path.stat().st_mtime)
    os.utime(path, (seconds, seconds))
END

# From a neutral folder, so that what is warmed is the installed copy and not the source beside it.
cd "$work"
export NUMBA_CACHE_DIR="$cache"
mkdir -p "$cache"
"$prefix/bin/python" -m serving.warm
