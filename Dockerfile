# syntax=docker/dockerfile:1
# The image that serves: no training library, no compiler, no root. Training runs elsewhere and promotes into the same store.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
COPY . .
# "generic": the kernels compiled here fit every CPU the image may run on.
ENV NUMBA_CPU_NAME=generic
RUN sh docker/install.sh /src /opt/leadscore /opt/leadscore-cache

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/leadscore leadscore \
    && install -d -o leadscore -g leadscore -m 0750 /var/lib/leadscore
COPY --from=build /opt/leadscore /opt/leadscore
# numba takes a cache only from a folder it may write to.
COPY --from=build --chown=leadscore:leadscore /opt/leadscore-cache /var/cache/leadscore
ENV PATH=/opt/leadscore/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_DIR=/var/cache/leadscore \
    LEADSCORE_HOME=/var/lib/leadscore
USER 10001:10001
WORKDIR /var/lib/leadscore
VOLUME /var/lib/leadscore
EXPOSE 8000
# Alive is not ready: before the first promotion /readyz answers 503 and says so, and a restart would not help.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["leadscore", "serve", "--host", "0.0.0.0", "--port", "8000"]
