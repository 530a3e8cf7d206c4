-- The processes that adopt what loses its parents, from the first one of the machine down to the nearest above the run's root:
-- whatever they adopt after the root was killed counts as the run's (docs/agents.md).
ALTER TABLE automation_run ADD COLUMN adopters TEXT NOT NULL DEFAULT '1'; -- process IDs, separated by spaces
