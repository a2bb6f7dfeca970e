#!/bin/sh
# Regenerates the committed code below protos/ from the .proto files. With --check it changes nothing and fails
# when the committed code is stale. Run from anywhere; PYTHON names the interpreter that has grpcio-tools and
# mypy-protobuf (default: the project's virtual environment).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-$PWD/.venv/bin/python}
PATH=$(dirname "$python"):$PATH # protoc finds its mypy plug-ins there

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$python" -m grpc_tools.protoc -I. --python_out="$out" --grpc_python_out="$out" \
    --mypy_out="quiet:$out" --mypy_grpc_out="quiet:$out" protos/consensus/v1/*.proto
new=$out/protos/consensus/v1
# Files without a service get an empty grpc module: keep those of the services only.
for file in "$new"/*_pb2_grpc.py*; do
    case $file in *_service_pb2_grpc.py*) ;; *) rm "$file" ;; esac
done

if [ "${1:-}" = --check ]; then
    diff -rq -x '*.proto' -x __init__.py -x __pycache__ "$new" protos/consensus/v1 && exit 0
    echo "generated code is stale, run: make protos" >&2
    exit 1
fi
rm -f protos/consensus/v1/*_pb2*.py protos/consensus/v1/*_pb2*.pyi
cp "$new"/* protos/consensus/v1/
