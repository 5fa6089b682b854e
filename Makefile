# Every verb is one call of ops/quickstart.py, which says what it does and sets up what it needs by itself.
# PYTHON is any Python from 3.11 on; the rest of the toolchain is made, cached and found from there.

PYTHON ?= python3
SLIPWAY := $(PYTHON) -m ops.quickstart

.DEFAULT_GOAL := help
.PHONY: help up down test test-all lint bench bench-up bench-jobs gameday release compose status url mlflow-url clean

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## bring up the whole stack on this machine, with a trained model serving predictions
	@$(SLIPWAY) up

down: ## take it all down again
	@$(SLIPWAY) down

test: ## lint and the four tiers of tests without the long ones; TIERS="unit program" picks some
	@$(SLIPWAY) test $(TIERS)

test-all: ## lint and every test there is, as CI does
	@$(SLIPWAY) test-all $(TIERS)

lint: ## the linters alone
	@$(SLIPWAY) lint

bench: ## compare the model server with its peers on this machine and print a table; ARGS="--help" has options
	@$(SLIPWAY) bench $(ARGS)

bench-up: ## measure up, a second up, memory and down, and print a table; RUNS=3 repeats it
	@$(SLIPWAY) bench-up $(RUNS)

bench-jobs: ## measure asynchronous predictions and print a table; ARGS="--help" has options
	@$(SLIPWAY) bench-jobs $(ARGS)

gameday: ## break things under load on a stack of its own, and print what it cost; ARGS="--list" names the rows
	@$(SLIPWAY) gameday $(ARGS)

release: ## build the releases and the first deployment that the stack uploads
	@$(SLIPWAY) release

compose: ## lay out what `docker-compose up --build` takes from this checkout: releases, files, secrets
	@$(SLIPWAY) compose

status: ## what runs in the local cloud
	@$(SLIPWAY) status

url: ## print the address that answers predictions
	@$(SLIPWAY) url

mlflow-url: ## print the address of MLflow
	@$(SLIPWAY) mlflow-url

clean: ## take it down and remove what was generated in this checkout
	@$(SLIPWAY) clean
