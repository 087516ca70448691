/// Runs a fuzz target without libFuzzer: every file of the corpus, then mutations of them for about a second.
/// The sequence is the same in every run; only how far it comes depends on the machine.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr auto budget = std::chrono::seconds(1);
constexpr std::size_t max_mutations = 20'000;
constexpr std::size_t max_size = 64 * 1024;

std::string current;

/// Leaves the input that broke the target in the file `crash`, in the working directory.
void keep_current(int signal) {
  const char* name = "crash";
  if (std::FILE* file = std::fopen(name, "wb"); file != nullptr) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void feed(std::string input) {
  current = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
}

std::vector<std::string> read_corpus(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(directory)) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    for (auto changes = 1 + below(4); changes > 0; --changes) {
      change(input);
    }
    input.resize(std::min(input.size(), max_size));
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void change(std::string& input) {
    static constexpr std::array<char, 18> telling{'\0', '\n', '\r', '\t', ' ', '"', '\'', '#', ',',
                                                  ':',  '-',  '[',  ']',  '{', '}', '*',  '%', '\xff'};
    const auto at = below(input.size() + 1);
    switch (below(6)) {
      case 0:
        input.insert(at, 1, telling.at(below(telling.size())));
        break;
      case 1:
        input.resize(at);
        break;
      case 2:
        input.erase(at, 1 + below(8));
        break;
      case 3:  // a piece of another input
      {
        const auto& other = corpus_[below(corpus_.size())];
        input.insert(at, other.substr(below(other.size() + 1), 1 + below(64)));
        break;
      }
      case 4:  // the same again, many times
        input.insert(at, [&] {
          const auto piece = input.substr(at, 1 + below(16));
          std::string many;
          for (auto times = below(200); times > 0; --times) {
            many += piece;
          }
          return many;
        }());
        break;
      default:
        if (at < input.size()) {
          input[at] = static_cast<char>(input[at] ^ static_cast<char>(1U << below(8)));
        }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937 random_{1};  // NOLINT(cert-msc51-cpp): the same sequence in every run, on purpose
};

}  // namespace

int main(int argc, char** argv) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS}) {
    std::signal(signal, keep_current);
  }
  auto corpus = read_corpus(argc > 1 ? argv[1] : ".");
  const auto files = corpus.size();
  corpus.emplace_back();
  corpus.emplace_back("# comment\nkey: [value, 1]\n");
  for (const auto& input : corpus) {
    feed(input);
  }
  Mutator mutator(corpus);
  const auto end = std::chrono::steady_clock::now() + budget;
  std::size_t count = 0;
  while (count < max_mutations && std::chrono::steady_clock::now() < end) {
    feed(mutator.next());
    ++count;
  }
  std::printf("%zu files of the corpus, %zu mutations\n", files, count);
  return 0;
}
