# Short names for the daily verbs: `include config/migrate.mk` in your own Makefile.
#
#   make migrate-create MESSAGE="add content hash" [EMPTY=true]
#   make migrate-upgrade [REVISION=head]     make migrate-downgrade REVISION=-1
#   make migrate-status  make migrate-history  make migrate-validate  make db-shell

DROVER ?= drover
DROVER_FLAGS ?=
# It is for the command line; as an environment variable it would mean nothing to drover.
unexport DROVER_FLAGS

.PHONY: migrate-status migrate-create migrate-upgrade migrate-downgrade migrate-history \
        migrate-init migrate-reset migrate-validate db-shell

migrate-status:
	$(DROVER) $(DROVER_FLAGS) status

migrate-create:
	@test -n "$(MESSAGE)" || { echo 'say MESSAGE="what it does"' >&2; exit 2; }
	$(DROVER) $(DROVER_FLAGS) create -m "$(MESSAGE)" $(if $(filter true,$(EMPTY)),--empty)

migrate-upgrade:
	$(DROVER) $(DROVER_FLAGS) upgrade $(REVISION)

migrate-downgrade:
	@test -n "$(REVISION)" || { echo 'say REVISION=-1, an id, or base' >&2; exit 2; }
	$(DROVER) $(DROVER_FLAGS) downgrade $(REVISION)

migrate-history:
	$(DROVER) $(DROVER_FLAGS) history

migrate-init:
	$(DROVER) $(DROVER_FLAGS) init

migrate-reset:
	$(DROVER) $(DROVER_FLAGS) reset

migrate-validate:
	$(DROVER) $(DROVER_FLAGS) validate

db-shell:
	$(DROVER) $(DROVER_FLAGS) shell $(if $(TENANT),--tenant $(TENANT))
