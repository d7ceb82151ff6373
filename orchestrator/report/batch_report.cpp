#include "orchestrator/report/batch_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/batch_tables.h"
#include "orchestrator/report/run_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::report {
namespace {

using engine::BatchRecord;
using engine::BatchStatus;

constexpr double kSilent = 30;  ///< Seconds without a sign of life after which nobody works on it.

/// Sums over the ranges of one batch, or over several batches.
struct Sums {
  std::uint64_t seen = 0;
  std::uint64_t of = 0;  ///< Rows of the whole, as well as is known.
  std::uint64_t changed = 0;
  std::uint64_t retries = 0;
  std::uint64_t parked = 0;
  std::uint64_t size = 0;
  std::int64_t busy_ms = 0;
  std::int64_t waited_ms = 0;
  double rate = 0;  ///< Rows a second.
  std::string waiting;
  std::string last_error;
};

Sums sums_of(const BatchStatus& status) {
  Sums sums;
  sums.seen = status.rows_seen();
  sums.of = std::max(status.record.estimated_rows, sums.seen);
  sums.parked = status.parked;
  for (const engine::BatchRange& range : status.ranges) {
    sums.changed += range.rows_changed;
    sums.retries += range.retries;
    sums.busy_ms += range.busy.count();
    sums.waited_ms += range.waited.count();
    sums.last_error = range.last_error.empty() ? sums.last_error : range.last_error;
    if (range.done) {
      continue;
    }
    sums.size = std::max(sums.size, range.size);
    sums.waiting = sums.waiting.empty() ? range.waiting : sums.waiting;
    const auto ms = static_cast<double>((range.busy + range.waited).count());
    sums.rate += ms > 0 ? 1000 * static_cast<double>(range.rows_seen) / ms : 0;
  }
  return sums;
}

bool is_worked_on(const BatchRecord& record) {
  return !record.owner.empty() && record.age_seconds <= kSilent;
}

bool goes_on(const BatchRecord& record) {
  return record.state == BatchRecord::State::running && is_worked_on(record) &&
         !record.control.paused;
}

/// A quoted name without quotes, where it needs none.
std::string table_text(const std::string& table) {
  const bool quoted = table.size() > 2 && table.front() == '"' && table.back() == '"';
  const std::string inside = quoted ? table.substr(1, table.size() - 2) : "";
  const bool plain = std::all_of(inside.begin(), inside.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  return quoted && plain ? inside : table;
}

std::string share_text(const Sums& sums) {
  return sums.of == 0 ? "-" : fmt::format("{} %", 100 * sums.seen / sums.of);
}

std::string rate_text(double rate) {
  return rate > 0 ? fmt::format("{:.0f}/s", rate) : "-";
}

/// How long the rest takes at this rate; none where nobody can say.
std::optional<std::chrono::milliseconds> rest_of(const Sums& sums) {
  if (sums.rate < 1 || sums.seen >= sums.of) {
    return std::nullopt;
  }
  const double seconds = static_cast<double>(sums.of - sums.seen) / sums.rate;
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

/// "running", "paused by ann@host", "waiting: replica_lag ...", "nobody works on it"
std::string state_text(const BatchStatus& status) {
  const BatchRecord& record = status.record;
  if (record.state == BatchRecord::State::done || record.state == BatchRecord::State::announced) {
    return std::string(engine::name_of(record.state));
  }
  if (record.control.paused) {
    return "paused by " + record.control.by;
  }
  const Sums sums = sums_of(status);
  if (!is_worked_on(record)) {
    return sums.last_error.empty() ? "nobody works on it" : "stopped: " + sums.last_error;
  }
  return sums.waiting.empty() ? std::string(engine::name_of(record.state))
                              : "waiting: " + sums.waiting;
}

Value seconds_value(const std::optional<std::chrono::milliseconds>& rest) {
  return rest ? Value(rest->count() / 1000) : Value();
}

Value control_value(const engine::BatchControl& control) {
  Value value = Value::object();
  value.set("paused", control.paused)
      .set("rows", control.rows)
      .set("workers", control.workers)
      .set("wal_per_second", control.wal_per_second)
      .set("nice", control.nice)
      .set("by", known_text(control.by));
  return value;
}

/// Of those that are worked on now the rates add up, and the slowest says when all are done.
struct Total {
  Sums sums;
  std::size_t waiting = 0;
  std::size_t paused = 0;
  std::size_t idle = 0;
  std::size_t done = 0;
  std::optional<std::chrono::milliseconds> rest;
};

Total total_of(const std::vector<BatchLine>& batches) {
  Total total;
  for (const BatchLine& line : batches) {
    const BatchRecord& record = line.status.record;
    const Sums sums = sums_of(line.status);
    total.sums.seen += sums.seen;
    total.sums.of += sums.of;
    total.sums.changed += sums.changed;
    total.sums.parked += sums.parked;
    if (record.state == BatchRecord::State::done) {
      ++total.done;
    } else if (record.control.paused) {
      ++total.paused;
    } else if (!is_worked_on(record)) {
      ++total.idle;
    } else {
      total.waiting += sums.waiting.empty() ? 0U : 1U;
      total.sums.rate += sums.rate;
      total.rest = std::max(total.rest, rest_of(sums));
    }
  }
  return total;
}

std::string total_text(const std::vector<BatchLine>& batches) {
  const Total total = total_of(batches);
  std::string text = fmt::format("{} batches: {} of {} rows, {}",
                                 batches.size(),
                                 total.sums.seen,
                                 total.sums.of,
                                 share_text(total.sums));
  if (total.sums.rate > 0) {
    text += fmt::format(", {}", rate_text(total.sums.rate));
  }
  if (total.rest) {
    text += fmt::format(", about {} left", duration_text(*total.rest));
  }
  for (const auto& [count, what] : {std::pair(total.done, "done"),
                                    std::pair(total.waiting, "waiting"),
                                    std::pair(total.paused, "paused"),
                                    std::pair(total.idle, "left alone")}) {
    text += count == 0 ? "" : fmt::format("; {} {}", count, what);
  }
  return text + "\n";
}

Value batch_value(const BatchLine& line) {
  const BatchRecord& record = line.status.record;
  const Sums sums = sums_of(line.status);
  const bool moves = goes_on(record);
  Value value = Value::object();
  value.set("tenant", line.tenant.value)
      .set("revision", record.id.revision.value)
      .set("unit", record.id.unit)
      .set("table", known_text(table_text(record.path.table)))
      .set("state", engine::name_of(record.state))
      .set("background", record.background)
      .set("rows_seen", sums.seen)
      .set("rows_changed", sums.changed)
      .set("estimated_rows", sums.of)
      .set("rows_per_second", moves ? Value(static_cast<std::uint64_t>(sums.rate)) : Value())
      .set("seconds_left", moves ? seconds_value(rest_of(sums)) : Value())
      .set("parked", sums.parked)
      .set("retries", sums.retries)
      .set("batch_rows", sums.size)
      .set("busy_ms", sums.busy_ms)
      .set("waited_ms", sums.waited_ms)
      .set("waiting", known_text(sums.waiting))
      .set("last_error", known_text(sums.last_error))
      .set("owner", known_text(record.owner))
      .set("run", known_text(record.run))
      .set("started", known_text(record.started_at))
      .set("finished", known_text(record.finished_at))
      .set("control", control_value(record.control));
  return value;
}

}  // namespace

std::string batches_text(const std::vector<BatchLine>& batches, std::optional<std::size_t> width) {
  Table table({{"TENANT"},
               {"REVISION"},
               {"TABLE"},
               {"ROWS", Column::Align::right},
               {"OF", Column::Align::right},
               {"DONE", Column::Align::right},
               {"RATE", Column::Align::right},
               {"LEFT", Column::Align::right},
               {"PARKED", Column::Align::right},
               {"STATE"}});
  for (const BatchLine& line : batches) {
    const BatchRecord& record = line.status.record;
    const Sums sums = sums_of(line.status);
    const auto rest = goes_on(record) ? rest_of(sums) : std::nullopt;
    table.add({line.tenant.value,
               record.id.revision.value,
               table_text(record.path.table),
               std::to_string(sums.seen),
               std::to_string(sums.of),
               share_text(sums),
               goes_on(record) ? rate_text(sums.rate) : "-",
               rest ? duration_text(*rest) : "-",
               std::to_string(sums.parked),
               state_text(line.status)});
  }
  if (table.empty()) {
    return "no batches\n";
  }
  return table.written(width) + (batches.size() > 1 ? total_text(batches) : "");
}

Value batches_value(const std::vector<BatchLine>& batches) {
  Value rows = Value::list();
  for (const BatchLine& line : batches) {
    rows.add(batch_value(line));
  }
  return rows;
}

Value batches_total(const std::vector<BatchLine>& batches) {
  const Total total = total_of(batches);
  Value value = Value::object();
  value.set("batches", batches.size())
      .set("done", total.done)
      .set("waiting", total.waiting)
      .set("paused", total.paused)
      .set("left_alone", total.idle)
      .set("rows_seen", total.sums.seen)
      .set("rows_changed", total.sums.changed)
      .set("estimated_rows", total.sums.of)
      .set("rows_per_second", static_cast<std::uint64_t>(total.sums.rate))
      .set("seconds_left", seconds_value(total.rest))
      .set("parked", total.sums.parked);
  return value;
}

std::string batch_text(const BatchStatus& status, std::optional<std::size_t> width) {
  const BatchRecord& record = status.record;
  Table table({{"RANGE", Column::Align::right},
               {"UP TO"},
               {"END"},
               {"ROWS", Column::Align::right},
               {"CHANGED", Column::Align::right},
               {"BATCH", Column::Align::right},
               {"WORKED", Column::Align::right},
               {"WAITED", Column::Align::right},
               {"NOTE"}});
  for (const engine::BatchRange& range : status.ranges) {
    table.add({std::to_string(range.number),
               range.cursor ? engine::text_of_key(*range.cursor) : "-",
               engine::text_of_key(range.end),
               std::to_string(range.rows_seen),
               std::to_string(range.rows_changed),
               std::to_string(range.size),
               duration_text(range.busy),
               duration_text(range.waited),
               range.done                  ? "done"
               : !range.last_error.empty() ? range.last_error
                                           : range.waiting});
  }
  return fmt::format("revision {}, table {}: {}\n{}",
                     record.id.revision.value,
                     record.path.table.empty() ? "not known yet" : table_text(record.path.table),
                     state_text(status),
                     table.written(width));
}

}  // namespace drover::orchestrator::report
