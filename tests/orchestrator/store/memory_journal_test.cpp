#include "tests/support/memory_journal.h"

#include <stdexcept>

#include <catch2/catch.hpp>

#include "tests/conformance/journal_conformance.h"

using namespace drover::test;
using drover::Error;
using drover::ErrorCode;

namespace {

class MemoryPlace final : public JournalStore {
 public:
  std::unique_ptr<drover::orchestrator::Journal> open() override {
    return std::make_unique<MemoryJournal>(store_);
  }
  void let_time_pass(std::chrono::milliseconds time) override { store_->advance(time); }

 private:
  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

}  // namespace

TEST_CASE("the journal in memory does what every journal must", "[store][memory]") {
  for (const auto checks : {journal_checks(), journal_control_checks(), journal_lease_checks()}) {
    for (const auto& check : checks) {
      DYNAMIC_SECTION(check.name) {
        MemoryPlace place;
        check.run(place);
      }
    }
  }
}

TEST_CASE("the journal in memory fails when it is told to", "[store][memory]") {
  MemoryJournal journal(std::make_shared<MemoryStore>());
  const auto run = journal.begin_run(request_for({"a"}), owner_called("alice"));
  journal.fail_with(std::make_exception_ptr(
      Error(ErrorCode::storage, "journal_failed", "the disk is full", "Make room.")));
  journal.record(applied(run, "a"));

  CHECK(error_of([&] { journal.flush(); }).what() == std::string("the disk is full"));
  CHECK_THROWS_AS(journal.heartbeat(run, owner_called("alice")), Error);

  journal.fail_with(nullptr);
  journal.flush();
  CHECK(journal.tenants_of(run)[0].finished);
}
