# The service alone: no torch, no compiler, not root, works with a read-only root file system.
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/faunalens
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY service ./service
COPY training ./training
COPY weights ./weights
RUN /opt/faunalens/bin/pip install --no-cache-dir --no-compile -c constraints.txt . \
    && rm -rf /opt/faunalens/lib/python3.11/site-packages/pip* /opt/faunalens/bin/pip*

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home faunalens
COPY --from=build /opt/faunalens /opt/faunalens
ENV PATH=/opt/faunalens/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 FAUNALENS_HOST=0.0.0.0
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["faunalens", "serve"]
