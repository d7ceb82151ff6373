-- drover: revision 0015
-- drover: parents 0013
-- drover: depends 0014
-- drover: message Keep files as long as the plan says
-- drover: labels retention
--
-- Made by the retention team on a branch of its own, beside billing's 0014. The branches stay
-- apart, but a rule belongs to a plan: "depends" says that 0014 has to be there first.

-- drover: up
CREATE TABLE retention_rules (
  plan_code text PRIMARY KEY REFERENCES plans (code) ON DELETE CASCADE,
  keep_days integer NOT NULL CHECK (keep_days > 0),
  keep_seconds bigint GENERATED ALWAYS AS (CAST(keep_days AS bigint) * 86400) STORED
);
INSERT INTO retention_rules (plan_code, keep_days)
SELECT code, CASE code WHEN 'free' THEN 30 WHEN 'team' THEN 365 ELSE 3650 END
  FROM plans;

-- drover: down
DROP TABLE retention_rules;
