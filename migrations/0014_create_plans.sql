-- drover: revision 0014
-- drover: parents 0013
-- drover: message Sell storage as plans
-- drover: labels billing
--
-- Limits were agreed on with each tenant by hand. Plans give them names; what stands in a tenant's
-- own row still wins. Nobody is moved to a plan yet: that is 0020, after the contracts are changed.

-- drover: up
CREATE TABLE plans (
  code text PRIMARY KEY,
  name text NOT NULL,
  storage_quota_bytes bigint,
  file_count_limit bigint
);
INSERT INTO plans (code, name, storage_quota_bytes, file_count_limit) VALUES
  ('free', 'Free', 1073741824, 1000),
  ('team', 'Team', 107374182400, 100000),
  ('enterprise', 'Enterprise', NULL, NULL);

ALTER TABLE tenants ADD COLUMN plan_code text REFERENCES plans (code);
CREATE INDEX tenants_plan_code ON tenants (plan_code);

-- drover: up postgres
COMMENT ON TABLE plans IS 'What can be bought; NULL: no limit';

-- drover: down
DROP INDEX tenants_plan_code;
ALTER TABLE tenants DROP COLUMN plan_code;
DROP TABLE plans;
