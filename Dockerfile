# syntax=docker/dockerfile:1
# docker build --tag consensus .          one image; the command says which process it is: worker, gateway, calibrator …
# Everything is installed from requirements.lock by hash; give PYTHON a digest to pin what it stands on as well.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv --without-pip /opt/consensus
COPY requirements.lock requirements-dev.lock ./
RUN python -m pip --python /opt/consensus/bin/python install \
        --no-deps --require-hashes --only-binary :all: --requirement requirements.lock
# What builds the wheel is pinned too, by the lock for development.
RUN awk '/^[a-z0-9]/ { keep = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } keep' \
        requirements-dev.lock > build.lock \
    && python -m pip install --no-deps --require-hashes --only-binary :all: --requirement build.lock
COPY pyproject.toml README.md LICENSE ./
COPY arbiters arbiters
COPY calibration calibration
COPY consensus consensus
COPY protos protos
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/consensus/bin/python install --no-deps --no-index dist/*.whl

FROM ${PYTHON}
# The number, not the name, is what Kubernetes can check for runAsNonRoot.
RUN groupadd --gid 10001 consensus && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp consensus
COPY --from=build /opt/consensus /opt/consensus
ENV PATH=/opt/consensus/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
# Probes and metrics where telemetry.listen says, gRPC where grpc.listen says.
EXPOSE 9464 50051
ENTRYPOINT ["consensus"]
CMD ["--help"]
