# 1022 Gia Lai. Two commands matter: `make run` and `make test`. `make help` lists the others.
PYTHON ?= python3
DATA_DIR ?= var
WORKERS ?= 2
APP := .venv/bin/python
BOT := .venv-bot/bin/python
# What starts processes ends them when make is killed: SIGTERM (15) to it, and they end with it.
TIED := $(APP) -I -S deploy/local/tied.py 15 0 0 - $(APP)
PREPARE := DATA_DIR="$(DATA_DIR)" $(PYTHON) deploy/local/prepare.py
export PYTHONPATH := $(CURDIR)
export DATA_DIR

.DEFAULT_GOAL := help
.PHONY: help run test fuzz check install lint format train label fit kb-import predict compare bench channels-load faults dead \
	backup restore reset providers messenger-profile

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## Set up what is missing, start everything, open the chat in a browser (Ctrl-C stops it)
	@$(PREPARE) run
	@$(TIED) -m deploy.local.run

test: ## Set up what is missing and pass all tests
	@$(PREPARE) test
	@$(MAKE) --no-print-directory check
	@$(BOT) -m pytest tests/bot
	@# Real processes on a busy machine: what fails is run once more, and the summary tells of it. Each worker has
	@# its own PostgreSQL, Redis and folders, and the tests of a file stay together, in their order.
	@$(APP) -m pytest -n $(WORKERS) --dist loadfile --reruns 1 --ignore tests/end_to_end
	@# The browser's driver keeps an event loop of its own for the whole run: these tests get a process to themselves.
	@$(APP) -m pytest --reruns 1 tests/end_to_end

fuzz: ## Try every entrance with many requests, new ones each time: make fuzz [EXAMPLES=300]
	@$(PREPARE) lint
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),300) $(APP) -m pytest tests/api/test_fuzz.py tests/api/test_chat_frames.py \
		tests/api/test_chat_openapi.py

check: # formatting, lint, types, import floors
	@$(APP) -m ruff format --check .
	@$(APP) -m ruff check .
	@$(APP) -m mypy
	@$(APP:python=lint-imports)

lint: ## Check formatting, lint, types and the import floors
	@$(PREPARE) lint
	@$(MAKE) --no-print-directory check

install: ## Set up environments, browser libraries and language model, start nothing (for systemd)
	@$(PREPARE) install

format: ## Format the code
	@$(PREPARE) lint
	@$(APP) -m ruff format .
	@$(APP) -m ruff check --fix .

train: ## Train both models anew; a worse language model is not taken (make train FORCE=1 takes it)
	@$(PREPARE) train
	@$(APP) -m kb_index train --data-dir "$(DATA_DIR)"
	@$(APP) -m kb_index index --data-dir "$(DATA_DIR)"
	@$(BOT) -m bot.train --anew $(if $(FORCE),--force)

label: ## Label what was misunderstood, at the terminal: make label [DECISIONS=<file.jsonl>] [DATA_DIR=<folder>]
	@$(PREPARE) import
	@$(APP) -m api.label $(if $(DECISIONS),--decisions "$(DECISIONS)")

fit: ## Fit when to answer on our own questions: make fit [DATA_DIR=<folder>]
	@$(PREPARE) run
	@$(APP) -m actions.fitting --write-rows .build/own_rows.jsonl
	@$(TIED) -m deploy.local.predict --in .build/own_rows.jsonl --out .build/own_predictions.jsonl
	@$(APP) -m actions.fitting --data-dir "$(DATA_DIR)" --intents .build/own_predictions.jsonl

kb-import: ## Import procedures: make kb-import FROM=<file or folder> [DATA_DIR=<folder>]
	@test -n "$(FROM)" || { echo "error: say what to import: make kb-import FROM=<file or folder> [DATA_DIR=<folder>]"; exit 2; }
	@$(PREPARE) import
	@$(APP) -m kb_index import --from "$(FROM)" --data-dir "$(DATA_DIR)"

predict: ## Answer evaluation rows: make predict IN=<rows.jsonl> OUT=<predictions.jsonl> [CHANNEL=zalo|messenger]
	@test -n "$(IN)" -a -n "$(OUT)" || { echo "error: make predict IN=<rows.jsonl> OUT=<predictions.jsonl> [DATA_DIR=<folder>]"; exit 2; }
	@$(PREPARE) run
	@$(TIED) -m deploy.local.predict --in "$(IN)" --out "$(OUT)" $(if $(CHANNEL),--channel $(CHANNEL))

compare: ## Compare models (docs/MODELS.md): make compare [ONLY=classifiers|search|marks] [DATA_DIR=<folder>]
	@$(PREPARE) run
	@test "$(ONLY)" = search || $(BOT) -m bot.compare $(addprefix --only ,$(ONLY))
	@test "$(ONLY)" = classifiers || $(APP) -m kb_index.compare $(addprefix --only ,$(ONLY))

bench: ## Measure speed, cost and memory of the running system: make bench [ARGS="--db postgres --rate 16.4 …"]
	@$(PREPARE) run
	@$(TIED) -m deploy.bench $(ARGS)

channels-load: ## Load, outage and kills through a played provider: make channels-load [ARGS="--channel zalo --db postgres …"]
	@$(PREPARE) import
	@$(TIED) -m deploy.channels_load $(ARGS)

faults: ## Kill processes under load, check that nothing is lost: make faults [KILLS=300] [DB=sqlite|postgres]
	@$(PREPARE) run
	@$(TIED) -m deploy.faults --kills $(or $(KILLS),30) --db $(or $(DB),sqlite) --rate $(or $(RATE),5) $(ARGS)

dead: ## Messages that were given up: make dead [DO="show <id>" | DO="replay <id>…" | DO="replay --all"]
	@$(APP) -m conversations dead $(or $(DO),list)

backup: ## Save the instance while it runs: make backup TO=<folder> [KEEP=<number>] [MODELS=no] [DATA_DIR=<folder>]
	@test -n "$(TO)" || { echo "error: say where to: make backup TO=<folder> [KEEP=<number>] [MODELS=no]"; exit 2; }
	@$(PREPARE) import
	@$(APP) -m deploy.backup create --to "$(TO)" $(if $(KEEP),--keep $(KEEP)) $(if $(filter no,$(MODELS)),--without-models)

restore: ## Bring an instance back: make restore FROM=<archive> [REPLACE=yes] [DATA_DIR=<folder>]
	@test -n "$(FROM)" || { echo "error: say what from: make restore FROM=<archive> [REPLACE=yes]"; exit 2; }
	@$(PREPARE) import
	@$(APP) -m deploy.backup restore --from "$(FROM)" $(if $(filter yes,$(REPLACE)),--replace)

providers: ## Play Zalo and Messenger, with phones of people on a page, to try the channels by hand
	@$(PREPARE) import
	@$(APP) -m tests.providers $(ARGS)

messenger-profile: ## Set greeting, Get Started and menu of the connected Facebook page
	@$(PREPARE) import
	@$(APP) -m api.messenger_profile

reset: ## Delete this instance's data (asks first)
	@$(PYTHON) deploy/local/reset.py "$(DATA_DIR)"
