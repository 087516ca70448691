#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace staithe::report {

/// Texts that wait for a thread to write them, so many bytes at the most: those beyond are left out, whole.
class Behind {
 public:
  using Write = std::function<void(std::string_view text)>;
  /// What stands where so many texts were left out.
  using Gap = std::function<std::string(std::size_t texts)>;

  Behind(Write write, Gap gap, std::size_t most_bytes);
  /// What waits is still written, unless `write` gives up.
  ~Behind();
  Behind(const Behind&) = delete;
  Behind& operator=(const Behind&) = delete;

  /// Returns at once. Any thread.
  void add(std::string_view text) noexcept;

 private:
  void work();

  Write write_;
  Gap gap_;
  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  std::size_t bytes_ = 0, left_out_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace staithe::report
