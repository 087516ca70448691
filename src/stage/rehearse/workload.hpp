#pragma once
#include "observer.hpp"

#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace staithe::stage {

struct LoadSample {
  std::size_t load = 0;
  SteadyTime began;
  Micros lasted{0};
  std::string error;
};

/// A statement of the workload with its parameters, read before the migration begins: picking keys inside the
/// statement would make the server scan.
struct ReadyLoad {
  Load load;
  bool writes = false;
  std::vector<std::vector<pg::Value>> params;
};

/// Readers of a row by its key, and writers of it, on the largest of `tables` (SQL names) that have a key; of
/// the others, and of views, readers of no row; of sequences those who take the next value.
std::vector<Load> automatic_loads(pg::Session& session, const std::vector<std::string>& tables,
                                  const base::Scope& scope);
/// Runs the queries for the parameters. A load whose query is refused is left out, and said in `remarks`.
std::vector<ReadyLoad> ready_loads(pg::Session& session, const std::vector<Load>& loads,
                                   std::vector<std::string>& remarks, const base::Scope& scope);

/// Sessions that run statements again and again, one thread and one connection each. What waits longer
/// than 10 ms, beyond what its Load takes alone, and what fails, is kept.
class Workload {
 public:
  Workload(const std::string& url, std::vector<ReadyLoad> loads, const base::Scope& scope);
  ~Workload();
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  /// Waits for the statements in hand; by time. Idempotent.
  std::vector<LoadSample> finish();
  const std::vector<ReadyLoad>& loads() const { return loads_; }
  std::uint64_t runs() const;
  std::uint64_t errors() const;
  /// Distinct errors with the load that met them.
  std::map<std::string, std::string> error_texts() const;

 private:
  void run(std::size_t index, const base::Scope& scope);
  std::unique_ptr<pg::Session> open(std::size_t index);
  void keep(std::size_t index, SteadyTime began, std::string error, Micros work = Micros{0});
  void run_once(pg::Session& session, const ReadyLoad& ready, std::size_t turn, std::size_t index);

  std::string url_;
  std::vector<ReadyLoad> loads_;
  base::Cancel done_;
  mutable std::mutex mutex_;
  std::vector<LoadSample> samples_;
  std::map<std::string, std::string> error_texts_;
  std::uint64_t runs_ = 0, errors_ = 0;
  std::vector<std::thread> threads_;
};

/// The samples as stalls of a pass that began at `zero`, the longest `most` of them in order of time.
std::vector<Stall> stalls_of(const std::vector<LoadSample>& samples, const std::vector<ReadyLoad>& loads,
                             SteadyTime zero, std::size_t most);

}  // namespace staithe::stage
