/// Who stands in the way of our statements, and how many slow DDL statements a database bears.
///
/// Interfaces for what spans tenants: the executor tells what it is about to send, and asks. The
/// real watch is engine/postgres/pg_blocker_watch.h.
///
/// Thread safety: both may be called from any thread.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/clock.h"
#include "engine/session.h"
#include "engine/target.h"

namespace drover::engine {

/// Watches statements of ours that take long, by one session per server, which lives only while it
/// is needed.
class BlockerWatch {
 public:
  BlockerWatch() = default;
  BlockerWatch(const BlockerWatch&) = delete;
  BlockerWatch& operator=(const BlockerWatch&) = delete;
  virtual ~BlockerWatch() = default;

  /// Backend `pid` of `target`'s server begins to work for us. Cheap: no I/O.
  virtual void begin(const Target& target, std::int64_t pid) = 0;

  /// It is done. The last session that was seen blocking it, if any was.
  virtual std::optional<Blocker> end(const Target& target, std::int64_t pid) = 0;
};

/// Sees nothing. For SQLite, and for tests that do not ask.
class NoBlockerWatch final : public BlockerWatch {
 public:
  void begin(const Target& /*target*/, std::int64_t /*pid*/) override {}
  std::optional<Blocker> end(const Target& /*target*/, std::int64_t /*pid*/) override {
    return std::nullopt;
  }
};

/// Lets at most so many statements of the CONCURRENTLY family run in one database at a time.
class DdlGate {
 public:
  DdlGate() = default;
  DdlGate(const DdlGate&) = delete;
  DdlGate& operator=(const DdlGate&) = delete;
  virtual ~DdlGate() = default;

  /// A place in the gate; leaves when it is destroyed.
  class Pass {
   public:
    Pass() = default;
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    virtual ~Pass() = default;
  };

  /// Waits for a place for the database of `target`; null when `patience` ran out.
  virtual std::unique_ptr<Pass> enter(const Target& target, const Patience& patience) = 0;
};

/// Lets everything through.
class OpenDdlGate final : public DdlGate {
 public:
  std::unique_ptr<Pass> enter(const Target& /*target*/, const Patience& /*patience*/) override {
    return std::make_unique<Pass>();
  }
};

}  // namespace drover::engine
