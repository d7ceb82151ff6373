#include "engine/batch/watch_session.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace drover::engine::batch {

Session* WatchSession::get(const Target& target, const std::stop_token& stop) {
  if (session_ != nullptr || clock_.now() < not_before_) {
    return session_.get();
  }
  Target direct = target;
  direct.pooled.clear();
  OpenOptions options;
  options.purpose = OpenOptions::Purpose::read;
  options.statement_timeout = kStatementLimit;
  // A throttle query is a person's; and compiling takes longer than any of ours.
  options.settings = {{"default_transaction_read_only", "on"}, {"jit", "off", 110000}};
  error_.clear();
  try {
    OpenResult opened = sessions_.open(direct, options, {clock_.now() + kAskLimit, stop});
    session_ = std::move(opened.session);
    error_ = opened.error ? opened.error->message : std::string();
  } catch (const std::system_error& error) {  // no file descriptor is left: later, perhaps
    error_ = error.what();
  }
  if (session_ != nullptr) {
    pause_ = kFirstPause;
  } else {
    not_before_ = clock_.now() + pause_;
    pause_ = std::min(pause_ * 2, kLongestPause);
  }
  return session_.get();
}

Exchange WatchSession::ask(std::span<const Statement> statements, const std::stop_token& stop) {
  Exchange exchange = session_->exchange(statements, {clock_.now() + kAskLimit, stop});
  if (!session_->alive()) {
    error_ = exchange.error ? exchange.error->message : std::string();
    session_.reset();
    not_before_ = clock_.now() + pause_;
  }
  return exchange;
}

}  // namespace drover::engine::batch
