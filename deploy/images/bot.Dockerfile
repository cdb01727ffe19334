# Rasa with the gateway channel. The model is trained while the image is built, from what is in the project.
#
#     docker build -f deploy/images/bot.Dockerfile -t gialai-1022-bot:0.1.0 .
#
# The folder to build in is the project's root; .dockerignore lets in only what is named there.

FROM python:3.11-slim-trixie AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# multidict 5.2 has no wheel for this Python and is compiled.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY bot/requirements.txt /build/requirements.txt
# A full lock, installed as it stands: Rasa's metadata would refuse this Python.
RUN python -m venv /opt/bot \
 && /opt/bot/bin/pip install --no-deps --ignore-requires-python -r /build/requirements.txt \
 && /opt/bot/bin/python -m compileall -q /opt/bot/lib

FROM python:3.11-slim-trixie AS model
COPY --from=environment /opt/bot /opt/bot
WORKDIR /app
COPY config.yml config.yml
COPY nlu_data nlu_data
COPY telemetry telemetry
COPY vntext vntext
COPY bot bot
ENV PYTHONPATH=/app
RUN /opt/bot/bin/python -m bot.train \
 && /opt/bot/bin/python -m compileall -q bot telemetry vntext

FROM python:3.11-slim-trixie AS bot
RUN groupadd --gid 10022 bot \
 && useradd --uid 10022 --gid 10022 --home-dir /app --no-create-home --shell /usr/sbin/nologin bot
COPY --from=environment /opt/bot /opt/bot
COPY deploy/images/health.py /app/health.py
COPY --from=model /app/telemetry /app/telemetry
COPY --from=model /app/vntext /app/vntext
COPY --from=model /app/bot /app/bot
COPY --from=model /app/.build/rasa/model.tar.gz /app/.build/rasa/model.tar.gz
ENV PATH=/opt/bot/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    BOT_HOST=0.0.0.0 \
    BOT_PORT=5022 \
    LOG_FORMAT=json
WORKDIR /app
USER 10022:10022
EXPOSE 5022
STOPSIGNAL SIGTERM
# It does not listen before the model is loaded and warm.
HEALTHCHECK --interval=15s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "health.py", "http://127.0.0.1:5022/"]
CMD ["python", "-m", "bot.run"]
