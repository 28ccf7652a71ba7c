// SPDX-License-Identifier: Apache-2.0
// Downloads a dataset, or says how to come by it and checks what is there.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "data/dataset_names.h"
#include "fetch/cifar10.h"
#include "fetch/download.h"
#include "fetch/imagenet.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge fetch-data cifar10             170 MB, unpacked into data/ (184 MB)\n"
    "  hedge fetch-data cifar10 --url=http://mirror.example/cifar-10-binary.tar.gz\n"
    "  hedge fetch-data imagenet            what to obtain, and what of it is there\n"
    "\n"
    "A download that was cut short, Ctrl-C included, goes on where it was when the same is run\n"
    "again. Proxies: https_proxy, http_proxy, no_proxy. Other certificates: CURL_CA_BUNDLE=FILE.\n";

struct Options {
  std::string dataset;
  std::string folder = "data";
  std::string url;
  std::string sha256;
  std::string timeout;
  std::string retries;
  bool force = false;
  bool list = false;
};

int list(const Program& program) {
  program.print(
      "cifar10   CIFAR-10, 10 classes, 32x32: hedge fetch-data cifar10 downloads and verifies it "
      "(170 MB)\n"
      "imagenet  ILSVRC2012 validation set, 1000 classes: yours to obtain, hedge fetch-data "
      "imagenet says\n"
      "          how and checks it\n"
      "shapes    drawn by Hedge itself: hedge make-data shapes\n");
  return kExitSuccess;
}

Cifar10Options cifar10_options(const Options& options) {
  Cifar10Options cifar10;
  cifar10.folder = options.folder;
  cifar10.force = options.force;
  if (!options.timeout.empty())
    cifar10.timeout_s = static_cast<int>(parse_count("--timeout", options.timeout, 1, 3600));
  if (!options.retries.empty())
    cifar10.retries = static_cast<int>(parse_count("--retries", options.retries, 0, 100));
  if (!options.url.empty()) cifar10.url = options.url;
  if (options.sha256.empty()) return cifar10;
  if (options.url.empty()) {
    throw bad_input(
        "--sha256: only with --url; the file at the known address has a known checksum");
  }
  cifar10.sha256 = to_lower(options.sha256);
  if (cifar10.sha256.size() != 64 ||
      cifar10.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw bad_input(fmt::format("--sha256={}: 64 hexadecimal digits are needed", options.sha256));
  }
  if (cifar10.sha256 != kCifar10Sha256) cifar10.bytes = 0;
  return cifar10;
}

int fetch(const Program& program, const Options& options) {
  Cifar10Options cifar10 = cifar10_options(options);
  Fetched fetched{};
  {
    ProgressBar bar(program, "cifar10", static_cast<std::int64_t>(cifar10.bytes));
    cifar10.progress = [&](std::uint64_t done, std::uint64_t total) {
      if (total > 0 && total == cifar10.bytes) bar.update(static_cast<std::int64_t>(done));
    };
    fetched = fetch_cifar10(cifar10);
  }
  if (fetched == Fetched::kCancelled) {
    program.print("stopped; what was downloaded is kept in {}, run the same again to go on\n",
                  options.folder);
    return kExitCancelled;
  }
  program.print("{}: CIFAR-10 {}, verified: {}\n", options.folder,
                fetched == Fetched::kDone ? "downloaded and unpacked" : "is there",
                join_words(cifar10_files()));
  return kExitSuccess;
}

int check(const Program& program, const Options& options) {
  const ImagenetCheck check = check_imagenet(options.folder);
  for (const std::string& line : check.found) program.print("there    {}\n", line);
  for (const std::string& line : check.missing) program.print("to do    {}\n", line);
  if (check.missing.empty()) {
    program.print("The ImageNet validation set is complete.\n");
    return kExitSuccess;
  }
  program.print("\n{}", how_to_get_imagenet(options.folder));
  return kExitFailure;
}

int run(const Program& program, const Options& options) {
  if (options.list) return list(program);
  const std::string dataset = canonical_dataset(options.dataset);
  if (dataset == "shapes")
    throw bad_input("shapes is not fetched but drawn: hedge make-data shapes DIR");
  if (dataset != "cifar" && dataset != "imagenet") {
    throw bad_input(fmt::format("{}; there are cifar10 and imagenet (--list tells more)",
                                options.dataset.empty()
                                    ? "no dataset named"
                                    : fmt::format("no dataset '{}'", options.dataset)));
  }
  if (dataset == "cifar") return fetch(program, options);
  if (!options.url.empty() || !options.sha256.empty() || options.force)
    throw bad_input("--url, --sha256 and --force: imagenet is not downloaded, only checked");
  return check(program, options);
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("fetch-data", "Download a dataset, or check what is there of it", kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("dataset", options.dataset, "cifar10 or imagenet");
  app.add_option("--data", options.folder, "Where to (default: data)")->type_name("DIR");
  app.add_flag("--list", options.list, "The datasets and how to come by each");
  app.add_option("--url", options.url, "A mirror of the archive")->type_name("ADDRESS");
  app.add_option("--sha256", options.sha256, "Of the archive at --url, where it is another one")
      ->type_name("HEX");
  app.add_flag("--force", options.force, "Replace files that fetch-data did not write");
  app.add_option("--timeout", options.timeout, "Longest wait for a next byte (default 30)")
      ->type_name("S");
  app.add_option("--retries", options.retries, "Attempts more, in a row, in vain (default 5)")
      ->type_name("N");
  return program.run(argc, argv, [&] { return run(program, options); });
}
