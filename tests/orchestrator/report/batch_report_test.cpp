// How batches are told of, one by one and for the whole fleet.

#include "orchestrator/report/batch_report.h"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "orchestrator/report/document.h"

using namespace drover;
using namespace drover::orchestrator;
using namespace drover::orchestrator::report;
using namespace std::chrono_literals;
using engine::BatchRange;
using engine::BatchRecord;
using nlohmann::json;

namespace {

BatchRange range_of(std::uint64_t seen, std::chrono::milliseconds busy) {
  BatchRange range;
  range.number = 1;
  range.end = {"1000"};
  range.rows_seen = seen;
  range.rows_changed = seen;
  range.busy = busy;
  range.size = 500;
  return range;
}

/// A batch over a million rows that somebody works on.
BatchLine line_of(const std::string& tenant, std::vector<BatchRange> ranges) {
  engine::BatchStatus status;
  status.record.id = {engine::RevisionId{"0007"}, 1};
  status.record.path.table = "public.files";
  status.record.estimated_rows = 1'000'000;
  status.record.state = BatchRecord::State::running;
  status.record.owner = "host:1";
  status.ranges = std::move(ranges);
  return {TenantId{tenant}, std::move(status)};
}

json json_of(const Value& value) {
  return json::parse(json_line(value));
}

}  // namespace

TEST_CASE("a batch is told of with its rate and how long it will take") {
  const BatchLine line = line_of("acme", {range_of(100'000, 10s), range_of(50'000, 10s)});
  const std::string text = batches_text({line}, std::nullopt);
  CHECK(text.find("150000") != std::string::npos);
  CHECK(text.find("15 %") != std::string::npos);
  CHECK(text.find("15000/s") != std::string::npos);  // both ranges at once
  CHECK(text.find("56.6 s") != std::string::npos);
  CHECK(text.find("running") != std::string::npos);
  CHECK(text.find("batches:") == std::string::npos);  // one is its own sum

  const json value = json_of(batches_value({line}))[0];
  CHECK(value["rows_per_second"] == 15'000);
  CHECK(value["seconds_left"] == 56);

  BatchLine quoted = line;
  quoted.status.record.path.table = "\"files\"";
  CHECK(json_of(batches_value({quoted}))[0]["table"] == "files");
  quoted.status.record.path.table = "\"My files\"";
  CHECK(json_of(batches_value({quoted}))[0]["table"] == "\"My files\"");
}

TEST_CASE("batches of a fleet are summed up by what becomes of them") {
  std::vector<BatchLine> lines;
  lines.push_back(line_of("fast", {range_of(500'000, 10s)}));
  lines.push_back(line_of("slow", {range_of(100'000, 10s)}));
  lines.back().status.ranges[0].waiting = "replica_lag: 7 s";
  lines.push_back(line_of("paused", {range_of(100'000, 10s)}));
  lines.back().status.record.control.paused = true;
  lines.back().status.record.control.by = "ann@desk";
  lines.push_back(line_of("alone", {range_of(100'000, 10s)}));
  lines.back().status.record.owner.clear();
  lines.push_back(line_of("done", {range_of(1'000'000, 10s)}));
  lines.back().status.record.state = BatchRecord::State::done;
  lines.back().status.ranges[0].done = true;

  const std::string text = batches_text(lines, std::nullopt);
  CAPTURE(text);
  CHECK(text.find("5 batches: 1800000 of 5000000 rows, 36 %, 60000/s, about 1 min 30 s left; "
                  "1 done; 1 waiting; 1 paused; 1 left alone\n") != std::string::npos);
  CHECK(text.find("paused by ann@desk") != std::string::npos);
  CHECK(text.find("waiting: replica_lag: 7 s") != std::string::npos);
  CHECK(text.find("nobody works on it") != std::string::npos);

  const json total = json_of(batches_total(lines));
  CHECK(total["batches"] == 5);
  CHECK(total["rows_seen"] == 1'800'000);
  CHECK(total["estimated_rows"] == 5'000'000);
  CHECK(total["rows_per_second"] == 60'000);
  CHECK(total["seconds_left"] == 90);
  CHECK(total["left_alone"] == 1);
}

TEST_CASE("what is not known of a batch is not made up") {
  const BatchLine line = line_of("acme", {});
  const json value = json_of(batches_value({line}))[0];
  CHECK(value["rows_per_second"] == 0);
  CHECK(value["seconds_left"].is_null());
  CHECK(batches_text({}, std::nullopt) == "no batches\n");
  CHECK(json_of(batches_total({}))["seconds_left"].is_null());
}
