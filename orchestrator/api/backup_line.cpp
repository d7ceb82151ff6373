#include "orchestrator/api/backup_line.h"

#include <algorithm>
#include <utility>

#include "engine/tenant_session.h"

namespace drover::orchestrator {
namespace {

/// So many backups must be done before their rate says anything.
constexpr std::size_t kFewBackups = 3;

engine::TenantFault interrupted() {
  return engine::found(ErrorCode::halted,
                       "interrupted",
                       "the run was stopped before the tenant had a backup",
                       "Resume the run to go on.");
}

}  // namespace

/// One backup, from the line to its end. What is not const is guarded by the line's mutex.
struct BackupLine::Job {
  enum class State { waits, under_way, done };

  Job(const BackupSubject& what, const BackupWanted& how) : subject(what), wanted(how) {}

  const BackupSubject subject;
  const BackupWanted wanted;
  State state = State::waits;
  bool is_urgent = false;
  std::variant<Backup, engine::TenantFault> result;
  std::stop_source stop;
};

BackupLine::BackupLine(engine::Clock& clock,
                       BackupMeans means,
                       const BackupOptions& options,
                       std::size_t planned)
    : clock_(clock),
      means_(std::move(means)),
      in_flight_limit_(options.in_flight),
      per_server_limit_(options.per_server),
      deadline_(options.deadline),
      started_(clock.now()),
      backups_done_(started_),
      bytes_done_(started_) {
  progress_.planned = planned;
}

BackupLine::~BackupLine() {
  {
    const std::lock_guard lock(line_mutex_);
    for (const auto& [tenant, job] : newest_) {
      job->stop.request_stop();
    }
  }
  for (std::jthread& thread : threads_) {
    thread.request_stop();
  }
}

/// A thread more, as long as there are fewer than may work. Call it with the lock.
std::shared_ptr<BackupLine::Job> BackupLine::enqueue(const BackupSubject& subject,
                                                     const BackupWanted& wanted,
                                                     bool urgent) {
  auto job = std::make_shared<Job>(subject, wanted);
  job->is_urgent = urgent;
  (urgent ? urgent_ : ahead_).push_back(job);
  newest_[subject.tenant.id] = job;
  const std::size_t useful = urgent_.size() + ahead_.size() + progress_.in_flight;
  if (threads_.size() < std::min(useful, in_flight_limit_)) {
    threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
  }
  moved_.notify_all();
  return job;
}

bool BackupLine::is_of_use(const Job& job,
                           const BackupSubject& subject,
                           const BackupWanted& wanted) const {
  if (job.state == Job::State::done) {
    const Backup* const made = std::get_if<Backup>(&job.result);
    return made != nullptr ? serves(*made, subject, wanted, std::chrono::system_clock::now())
                           : job.subject.epoch == subject.epoch;
  }
  return job.subject.epoch == subject.epoch && job.subject.uid == subject.uid;
}

void BackupLine::make_ahead(const BackupSubject& subject, const BackupWanted& wanted) {
  const std::lock_guard lock(line_mutex_);
  if (!newest_.contains(subject.tenant.id)) {
    enqueue(subject, wanted, false);
  }
}

std::optional<engine::TenantFault> BackupLine::ensure(const BackupSubject& subject,
                                                      const BackupWanted& wanted,
                                                      const engine::Patience& patience) {
  if (means_.find(subject, wanted)) {
    return std::nullopt;
  }
  std::unique_lock lock(line_mutex_);
  const auto known = newest_.find(subject.tenant.id);
  std::shared_ptr<Job> job = known == newest_.end() ? nullptr : known->second;
  if (job == nullptr || !is_of_use(*job, subject, wanted)) {
    job = enqueue(subject, wanted, true);
  } else if (job->state == Job::State::waits && !std::exchange(job->is_urgent, true)) {
    std::erase(ahead_, job);
    urgent_.push_back(job);
    moved_.notify_all();
  }
  const auto is_done = [&job] { return job->state == Job::State::done; };
  const bool done = patience.deadline == engine::SteadyTime::max()
                        ? moved_.wait(lock, patience.stop, is_done)
                        : moved_.wait_until(lock, patience.stop, patience.deadline, is_done);
  if (!done) {
    job->stop.request_stop();
    return interrupted();
  }
  const auto* const fault = std::get_if<engine::TenantFault>(&job->result);
  return fault == nullptr ? std::nullopt : std::optional(*fault);
}

/// The first whose server has room. Call it with the lock.
std::shared_ptr<BackupLine::Job> BackupLine::take_from(Jobs& jobs) {
  const auto found = std::find_if(jobs.begin(), jobs.end(), [this](const auto& job) {
    return on_server_[job->subject.tenant.target.server] < per_server_limit_;
  });
  if (found == jobs.end()) {
    return nullptr;
  }
  std::shared_ptr<Job> job = *found;
  jobs.erase(found);
  ++on_server_[job->subject.tenant.target.server];
  ++progress_.in_flight;
  job->state = Job::State::under_way;
  return job;
}

/// Null when the line is to end.
std::shared_ptr<BackupLine::Job> BackupLine::next(const std::stop_token& stop) {
  std::unique_lock lock(line_mutex_);
  std::shared_ptr<Job> job;
  moved_.wait(lock, stop, [&] {
    job = take_from(urgent_);
    job = job ? std::move(job) : take_from(ahead_);
    return job != nullptr;
  });
  return job;
}

void BackupLine::serve(const std::stop_token& stop) {
  while (const std::shared_ptr<Job> job = next(stop)) {
    std::variant<Backup, engine::TenantFault> result = interrupted();
    if (!stop.stop_requested()) {
      result = carry_out(*job);
    }
    finish(*job, std::move(result));
  }
}

/// Never throws.
std::variant<Backup, engine::TenantFault> BackupLine::carry_out(const Job& job) {
  std::variant<Backup, engine::TenantFault> result;
  try {
    if (std::optional<Backup> there = means_.find(job.subject, job.wanted)) {
      return std::move(*there);
    }
    result = means_.make(job.subject, {clock_.now() + deadline_, job.stop.get_token()});
  } catch (const std::exception& error) {
    result = engine::fault_from(error);
  }
  if (means_.told) {
    means_.told(job.subject.tenant.id, result);
  }
  return result;
}

void BackupLine::finish(Job& job, std::variant<Backup, engine::TenantFault> result) {
  {
    const std::lock_guard lock(line_mutex_);
    --on_server_[job.subject.tenant.target.server];
    --progress_.in_flight;
    if (const Backup* const made = std::get_if<Backup>(&result)) {
      ++progress_.made;
      progress_.bytes += made->bytes;
      backups_done_.add(1, clock_.now());
      bytes_done_.add(static_cast<double>(made->bytes), clock_.now());
    } else {
      ++progress_.failed;
    }
    job.result = std::move(result);
    job.state = Job::State::done;
  }
  moved_.notify_all();
}

BackupProgress BackupLine::progress() const {
  const std::lock_guard lock(line_mutex_);
  BackupProgress now = progress_;
  now.urgent = urgent_.size();
  const engine::SteadyTime at = clock_.now();
  const std::size_t done = now.made + now.failed;
  const double rate = backups_done_.per_second(at);
  now.bytes_per_second = bytes_done_.per_second(at);
  if (done >= kFewBackups && rate > 0 && now.planned > done) {
    now.remaining = std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(now.planned - done) / rate * 1000));
  }
  return now;
}

}  // namespace drover::orchestrator
