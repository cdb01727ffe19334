#!/bin/sh
# Writes the passwords and keys of the compose file into secrets/, once: what is there stays. What others give out
# (Meta, Zalo, the one-stop system) gets an empty file, to be filled in when it is known; empty means not set.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
# Containers run as other users than the one who calls this; nobody else gets past the folder.
chmod 700 secrets

random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
keep() { [ -s "secrets/$1" ] || { printf '%s' "$2" >"secrets/$1"; chmod 444 "secrets/$1"; echo "written: secrets/$1"; }; }

later() { [ -e "secrets/$1" ] || { : >"secrets/$1"; chmod 644 "secrets/$1"; }; }

keep postgres_password "$(random)"
keep redis_password "$(random)"
keep internal_token "$(random)"
keep secret_key "$(random)"
keep metrics_token "$(random)"
keep messenger_verify_token "$(random)"
keep database_url "postgresql+asyncpg://gialai1022:$(cat secrets/postgres_password)@postgres:5432/gialai1022"
keep redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
for name in old_secret_keys dossier_token messenger_app_secret messenger_page_token zalo_app_secret zalo_oa_secret; do later "$name"; done
