/// What tests of batches have in common: an executor with a worker, and tables to change.

#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/batch/batch_runner.h"
#include "engine/batch_governor.h"
#include "engine/batch_tables.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {

/// A rig whose batches are worked off.
struct BatchRig : Rig {
  BatchRig() { options.batches = &runner; }

  OpenBatchGovernor governor;
  batch::BatchRunner runner{sessions, real_clock, governor};
};

/// Sessions that tell a test of each message before they send it.
class ToldSessions final : public SessionFactory {
 public:
  using Told = std::function<void(std::span<const Statement>)>;
  explicit ToldSessions(Told before) : before_(std::move(before)) {}

  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override {
    OpenResult opened = inner_.open(target, options, patience);
    if (opened.session) {
      opened.session = std::make_unique<ToldSession>(std::move(opened.session), before_);
    }
    return opened;
  }

 private:
  class ToldSession final : public Session {
   public:
    ToldSession(std::unique_ptr<Session> inner, const Told& before)
        : inner_(std::move(inner)), before_(before) {}

    Dialect dialect() const noexcept override { return inner_->dialect(); }
    const SessionInfo& info() const noexcept override { return inner_->info(); }
    Exchange exchange(std::span<const Statement> statements, const Patience& patience) override {
      before_(statements);
      return inner_->exchange(statements, patience);
    }
    bool alive() const noexcept override { return inner_->alive(); }
    bool in_transaction() const noexcept override { return inner_->in_transaction(); }
    void cancel() noexcept override { inner_->cancel(); }

   private:
    std::unique_ptr<Session> inner_;
    const Told& before_;
  };

  Sessions inner_;
  Told before_;
};

/// A revision that makes table `hits` with `rows` rows, and one whose batch adds one to each.
/// `keys` goes into the directive, `lines` behind it.
inline std::vector<std::string> counting(int rows,
                                         const std::string& keys = "",
                                         const std::string& lines = "",
                                         const std::string& after = "") {
  return {
      up_down(fmt::format("CREATE TABLE hits (id bigint PRIMARY KEY, n integer NOT NULL);\n"
                          "INSERT INTO hits WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT "
                          "i + 1 FROM i WHERE i < {}) SELECT i, 0 FROM i",
                          rows),
              "DROP TABLE hits"),
      fmt::format("-- drover: batch table=hits {}\n{}UPDATE hits SET n = n + 1 WHERE {{range}};\n{}"
                  "-- drover: down\nSELECT 1;\n",
                  keys,
                  lines,
                  after)};
}

/// "1000 x 1": how many rows have which count.
template <typename Tenant>
std::string counts(const Tenant& tenant) {
  std::string text;
  for (const auto& row : tenant.sql("SELECT n, count(*) FROM hits GROUP BY n ORDER BY n")) {
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", *row[1], *row[0]);
  }
  return text;
}

}  // namespace drover::engine::test
