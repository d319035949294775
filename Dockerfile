# The service with batches and review: no torch, no compiler, not root, works with a read-only root file system.
# Pin both lines by digest before you build for others; no registry was at hand to look it up:
#   docker buildx imagetools inspect python:3.11-slim --format '{{.Manifest.Digest}}'
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/faunalens && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && /opt/faunalens/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY service ./service
COPY training ./training
COPY weights ./weights
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index -w dist . \
    && /opt/faunalens/bin/pip install --no-deps --no-index dist/*.whl \
    && cd /opt/faunalens/lib/python3.11/site-packages \
    && rm -rf pip* setuptools* pkg_resources _distutils_hack distutils-precedence.pth /opt/faunalens/bin/pip*

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home faunalens && install -d -o 10001 -m 700 /var/lib/faunalens \
    && rm -rf /usr/local/lib/python3.11/site-packages/* /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip*
COPY --from=build /opt/faunalens /opt/faunalens
ENV PATH=/opt/faunalens/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 FAUNALENS_HOST=0.0.0.0 \
    FAUNALENS_KEYS=/var/lib/faunalens/keys.db FAUNALENS_STORE=/var/lib/faunalens/store
USER 10001
VOLUME /var/lib/faunalens
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD \
    ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/livez' % (os.environ.get('FAUNALENS_PORT') or 8000), timeout=2)"]
CMD ["faunalens", "serve"]
