# The application, its workers, the bot's actions, and the commands (prepare, import, backup): one image, several commands.
#
#     docker build -f deploy/images/app.Dockerfile -t gialai-1022-app:0.1.0 .
#
# The folder to build in is the project's root; .dockerignore lets in only what is named there.

FROM node:22-slim AS browser
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim-trixie AS environment
# PyTorch without CUDA: some gigabytes less.
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL}
COPY requirements/app.txt /build/app.txt
RUN python -m venv /opt/app \
 && /opt/app/bin/pip install -r /build/app.txt \
 && /opt/app/bin/python -m compileall -q /opt/app/lib

FROM python:3.11-slim-trixie AS code
WORKDIR /app
COPY accounts accounts
COPY actions actions
COPY api api
COPY connectors connectors
COPY conversations conversations
COPY database database
COPY deploy deploy
COPY kb_index kb_index
COPY nlu_data/evaluation nlu_data/evaluation
COPY tickets tickets
COPY telemetry telemetry
COPY vntext vntext
COPY web web
COPY --from=browser /build/node_modules node_modules
RUN python -c "from deploy.local.prepare import copy_browser_files; copy_browser_files()" \
 && rm -r node_modules \
 && python -m compileall -q .

# The server's own version of pg_dump and pg_restore, for backups.
FROM postgres:16-trixie AS postgresql

FROM python:3.11-slim-trixie AS app
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpq5 libreadline8t64 liblz4-1 libzstd1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10022 app \
 && useradd --uid 10022 --gid 10022 --home-dir /app --no-create-home --shell /usr/sbin/nologin app \
 && install -d -o app -g app -m 0700 /data /backups
COPY --from=postgresql /usr/lib/postgresql/16/bin/pg_dump /usr/lib/postgresql/16/bin/pg_restore /usr/lib/postgresql/16/bin/psql /usr/lib/postgresql/16/bin/
COPY --from=environment /opt/app /opt/app
COPY --from=code /app /app
ENV PATH=/opt/app/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    DATA_DIR=/data \
    APP_HOST=0.0.0.0 \
    APP_PORT=8022 \
    LOG_FORMAT=json
WORKDIR /app
USER 10022:10022
EXPOSE 8022
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "deploy/images/health.py", "http://127.0.0.1:8022/health/live"]
CMD ["python", "-m", "api"]
