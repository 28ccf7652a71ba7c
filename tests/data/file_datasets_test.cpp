// SPDX-License-Identifier: Apache-2.0
#include "data/file_datasets.h"
#include "data/imagenet_files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

template <class Function>
std::string refusal(Function function) {
  try {
    (void)function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted";
}

#define EXPECT_HOLDS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)

std::string pixel(int value) {
  return "P6 1 1 255\n" + std::string(3, static_cast<char>(value));
}

class FileDatasets : public testing::Test {
 protected:
  void SetUp() override {
    set_log_sink([this](LogLevel, std::string_view message) { logged_ += message; });
  }
  void TearDown() override { set_log_sink({}); }
  fs::path put(const fs::path& name, const std::string& bytes) const {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::vector<int> labels(const Dataset& dataset) {
    std::vector<int> all;
    for (std::size_t i = 0; i < dataset.size(); ++i) {
      all.push_back(dataset.label(i));
      EXPECT_EQ(dataset.image(i).label, all.back());
    }
    return all;
  }

  test::TemporaryFolder folder_;
  fs::path root_ = folder_.path();
  std::string logged_;
};

using Folder = FileDatasets;
using Imagenet = FileDatasets;
using Npy = FileDatasets;

TEST_F(Folder, SubFoldersAreClassesInTheOrderOfTheirNames) {
  put("b cat/2.ppm", pixel(12));
  put("b cat/10.ppm", pixel(11));
  put("b cat/more/1.PPM", pixel(13));
  put("a/x.ppm", pixel(10));
  put("a/notes.txt", "none");
  put("a/._x.ppm", "of another system");
  put(".cache/x.ppm", "hidden");
  put("loose.ppm", pixel(1));
  const auto dataset = open_folder(root_, {});
  EXPECT_EQ(labels(*dataset), (std::vector{0, 1, 1, 1}));
  EXPECT_EQ(dataset->classes(), 2);
  EXPECT_EQ(dataset->class_names()[1], "b cat");
  EXPECT_TRUE(dataset->decodes());
  for (std::size_t i = 0; i < 4; ++i) {
    const Image image = dataset->image(i);
    EXPECT_EQ(image.pixels[0], 10 + i);
    EXPECT_FALSE(image.presized);
  }
  EXPECT_EQ(dataset->name(1), (root_ / "b cat/10.ppm").string());
  EXPECT_HOLDS(logged_, "1 images outside the sub-folders");
}

TEST_F(Folder, NumbersAreSortedAsTextWithAWarning) {
  put("2/x.ppm", pixel(0));
  put("10/x.ppm", pixel(0));
  EXPECT_EQ(open_folder(root_, {})->class_names()[0], "10");
  EXPECT_HOLDS(logged_, "'10' is class 0");
}

TEST_F(Folder, WhatIsNoDatasetIsRefused) {
  EXPECT_HOLDS(refusal([&] { return open_folder(root_ / "none", {}); }), "none: no such folder");
  EXPECT_HOLDS(refusal([&] { return Dataset::open("folder:", {}); }), "names no folder");
  EXPECT_HOLDS(refusal([&] { return open_folder(root_, {}); }), "no image in it");
  put("x.webp", "RIFF");
  EXPECT_HOLDS(refusal([&] { return open_folder(root_, {}); }), "x.webp is not read");
  fs::remove(root_ / "x.webp");
  put("x.ppm", pixel(0));
  EXPECT_HOLDS(refusal([&] { return open_folder(root_, {}); }), "1 images, but no sub-folders");
  put("a/x.ppm", pixel(0));
  fs::create_directories(root_ / "b");
  EXPECT_HOLDS(refusal([&] { return open_folder(root_, {}); }),
               "b: the folder of class 1 holds no");
  EXPECT_HOLDS(refusal([&] { return open_folder(root_ / "x.ppm", {}); }), "no such folder");
}

TEST_F(Folder, ABadImageIsNamedWhenItIsRead) {
  put("a/good.ppm", pixel(0));
  const fs::path bad = put("a/later.jpg", "no JPEG");
  const auto dataset = open_folder(root_, {});
  EXPECT_NO_THROW((void)dataset->image(0));
  EXPECT_HOLDS(refusal([&] { return dataset->image(1); }), bad.string() + ": no image");
  fs::remove(bad);
  EXPECT_HOLDS(refusal([&] { return dataset->image(1); }), bad.string());
}

TEST_F(Folder, LabelFileOfOneClassALine) {
  put("x/b.ppm", pixel(2));
  put("x/a.ppm", pixel(1));
  put("c.ppm", pixel(0));
  const fs::path file = put("labels.txt", "7\r\n0\n3\n\n");
  const auto dataset = open_folder(root_, put("labels.txt", "7\r\n0\n3\n"));
  EXPECT_EQ(labels(*dataset), (std::vector{7, 0, 3}));
  EXPECT_EQ(dataset->classes(), 8);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(dataset->image(i).pixels[0], i);
  for (const char* text : {"7\n0\n", "7\n0\n3\n4\n"}) {
    put("labels.txt", text);
    EXPECT_HOLDS(refusal([&] { return open_folder(root_, file); }), "lines for a dataset of 3");
  }
  put("labels.txt", "1\nx\n2\n");
  EXPECT_HOLDS(refusal([&] { return open_folder(root_, file); }), "line 2 is 'x'");
  put("labels.txt", "");
  EXPECT_HOLDS(refusal([&] { return open_folder(root_, file); }), "labels.txt: empty");
  EXPECT_HOLDS(refusal([&] { return open_folder(root_, root_ / "none.txt"); }), "none.txt");
}

TEST_F(Folder, LabelFileOfNamedLines) {
  put("x/a photo.ppm", pixel(1));
  put("b.ppm", pixel(2));
  put("c.ppm", pixel(3));
  const fs::path file = put("labels.txt", "./x/a photo.ppm, 4\nb.ppm\t\t9\r\n");
  const auto dataset = open_folder(root_, file);
  EXPECT_EQ(labels(*dataset), (std::vector{4, 9}));
  EXPECT_EQ(dataset->image(0).pixels[0], 1);
  EXPECT_HOLDS(logged_, "2 of the 3 images");
  const std::vector<std::pair<const char*, const char*>> bad{
      {"b.ppm 1\nd.ppm 1\n", "line 2 names 'd.ppm', which is no image below"},
      {"b.ppm 1\n./b.ppm 2\n", "lines 1 and 2 name the same image"},
      {"b.ppm\n", "line 1 is no 'FILE CLASS'"},
      {"b.ppm -1\n", "line 1 states class -1, which is below 0"},
      {"-1\n2\n3\n", "line 1 is '-1', not a class from 0"},
      {"b.ppm 99999999999\n", "line 1 is no 'FILE CLASS'"},
      {"b.ppm 1\n\nc.ppm 1\n", "line 2 is no 'FILE CLASS'"},
      {"../b.ppm 1\n", "which is no image below"}};
  for (const auto& [text, part] : bad) {
    put("labels.txt", text);
    EXPECT_HOLDS(refusal([&] { return open_folder(root_, file); }), part);
  }
}

TEST_F(Imagenet, RawFilesOfTheOriginal) {
  const std::string raw(static_cast<std::size_t>(3 * kRawEdge * kRawEdge), '\x05');
  put("bin/ILSVRC2012_val_00000001.bin", raw);
  put("bin/ILSVRC2012_val_00000003.bin", raw.substr(1));
  put("bin/other.bin", "");
  put("val/ILSVRC2012_val_00000001.JPEG", "not looked at");
  EXPECT_HOLDS(refusal([&] { return Dataset::open("imagenet", root_); }),
               "imagenet_labels.txt: not");
  put("imagenet_labels.txt", "999\n5\n0\n");
  const auto dataset = Dataset::open("ImageNet1k", root_);
  EXPECT_EQ(dataset->size(), 2U);
  EXPECT_EQ(dataset->classes(), 1000);
  EXPECT_EQ(dataset->label(0), 999);
  EXPECT_EQ(dataset->label(1), 0);
  const Image image = dataset->image(0);
  EXPECT_EQ(image.height, 224);
  EXPECT_EQ(image.layout, PixelLayout::kInterleaved);
  EXPECT_TRUE(image.presized);
  EXPECT_EQ(image.pixels[150527], 5);
  EXPECT_HOLDS(refusal([&] { return dataset->image(1); }), "00000003.bin: 150527 bytes");
  EXPECT_HOLDS(logged_, "2 of the 3 images");
  // A bin/ that is no whole set is not taken in silence before JPEGs.
  EXPECT_HOLDS(logged_, "2 of 50000 images, read in place of the 1 JPEGs");
  put("imagenet_labels.txt", "999\n5\n");
  EXPECT_HOLDS(refusal([&] { return Dataset::open("imagenet", root_); }),
               "2 lines, none for ILSVRC2012_val_00000003.bin");
  put("imagenet_labels.txt", "1\n1000\n1\n");
  EXPECT_HOLDS(refusal([&] { return Dataset::open("imagenet", root_); }), "line 2 is '1000'");
  EXPECT_EQ(Dataset::open("imagenet", root_, put("mine.txt", "1\n2\n3\n"))->label(1), 3);
}

TEST_F(Imagenet, JpegsInTheFolderValOrItsSubFolders) {
  put("imagenet_labels.txt", "10\n20\n30\n");
  put("ILSVRC2012_val_00000002.JPEG", pixel(2));
  put("val/ILSVRC2012_val_00000003.JPEG", pixel(3));
  put("val/n01440764/ILSVRC2012_val_00000001.JPEG", pixel(1));
  const auto dataset = Dataset::open("imagenet", root_);
  EXPECT_EQ(labels(*dataset), (std::vector{10, 20, 30}));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(dataset->image(i).pixels[0], i + 1);
  EXPECT_FALSE(dataset->image(0).presized);
  const auto where = [&] { return find_imagenet_files(root_).where; };
  const std::string in_val = (root_ / "val" / "ILSVRC2012_val_*.JPEG").string();
  const std::string beside = (root_ / "ILSVRC2012_val_*.JPEG").string();
  EXPECT_EQ(where(), beside + " and " + in_val);
  put("val/ILSVRC2012_val_00000002.JPEG", pixel(2));
  EXPECT_HOLDS(refusal([&] { return Dataset::open("imagenet", root_); }), "the same image twice");
  fs::remove(root_ / "ILSVRC2012_val_00000002.JPEG");
  EXPECT_EQ(where(), in_val);
  fs::remove_all(root_ / "val");
  EXPECT_EQ(where(), in_val);
  EXPECT_HOLDS(refusal([&] { return Dataset::open("imagenet", root_); }),
               (root_ / "ILSVRC2012_val_00000001.JPEG").string());
  put("ILSVRC2012_val_00000002.JPEG", pixel(2));
  EXPECT_EQ(where(), beside);
}

/// As numpy.save writes it.
std::string npy(const std::string& type, const std::string& shape, const std::string& data,
                int version = 1) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  const std::size_t before = version == 1 ? 10 : 12;
  header.append(127 - (header.size() + before) % 64 % 128, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY" + std::string{static_cast<char>(version), '\0'};
  for (std::size_t i = 0; i < before - 8; ++i) {
    bytes.push_back(static_cast<char>(header.size() >> (8 * i)));
  }
  return bytes + header + data;
}

TEST_F(Npy, ImagesOfBothLayoutsAndLabelsOfEveryWidth) {
  std::string data;
  for (int i = 0; i < 2 * 4 * 5 * 3; ++i) data.push_back(static_cast<char>(i));
  const std::string x = put("x.npy", npy("|u1", "(2, 4, 5, 3)", data)).string();
  for (const auto& [type, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"|u1", "\x02\x07"s},
           {"|i1", "\x02\x07"s},
           {"<u2", "\x02\0\x07\0"s},
           {">i2", "\0\x02\0\x07"s},
           {"<i4", "\x02\0\0\0\x07\0\0\0"s},
           {">u8", "\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x07"s},
           {"<i8", "\x02\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0"s}}) {
    for (const int version : {1, 2, 3}) {
      const std::string y = put("y.npy", npy(type, "(2,)", bytes, version)).string();
      const auto dataset = Dataset::open("npy:" + x + "," + y, {});
      EXPECT_EQ(labels(*dataset), (std::vector{2, 7})) << type;
      EXPECT_EQ(dataset->classes(), 8);
    }
  }
  const fs::path text = put("y.txt", "1\n0\n");
  const auto dataset = Dataset::open("npy:" + x, {}, text);
  EXPECT_FALSE(dataset->decodes());
  const Image image = dataset->image(1);
  EXPECT_EQ(image.height, 4);
  EXPECT_EQ(image.width, 5);
  EXPECT_EQ(image.layout, PixelLayout::kInterleaved);
  EXPECT_EQ(image.pixels[0], 60);
  EXPECT_EQ(image.pixels.size(), 60U);
  put("x.npy", npy("|u1", "(2, 3, 4, 5)", data));
  const auto planar = Dataset::open("npy:" + x, {}, text);
  EXPECT_EQ(planar->image(0).layout, PixelLayout::kPlanar);
  EXPECT_EQ(planar->image(0).height, 4);
  EXPECT_EQ(planar->image(0).width, 5);
}

TEST_F(Npy, BadArraysAreNamed) {
  const std::string data(2 * 1 * 2 * 3, '\1');
  const std::string good = npy("|u1", "(2, 1, 2, 3)", data);
  const fs::path labels = put("y.txt", "1\n0\n");
  const auto of = [&](const std::string& bytes) {
    const fs::path path = put("x.npy", bytes);
    const std::string message = refusal([&] { return open_npy(path, labels); });
    EXPECT_TRUE(message == "accepted" || message.starts_with(path.string() + ": ")) << message;
    return message;
  };
  EXPECT_EQ(of(good), "accepted");
  EXPECT_HOLDS(of(""), "no array of NumPy");
  EXPECT_HOLDS(of("PK\3\4"), "no array of NumPy");
  EXPECT_HOLDS(of(good.substr(0, 8)), "truncated");
  EXPECT_HOLDS(of(good.substr(0, 60)), "truncated");
  EXPECT_HOLDS(of(good.substr(0, good.size() - 1)), "takes 12 bytes of data, there are 11");
  EXPECT_HOLDS(of(good + "x"), "1 bytes behind the data");
  EXPECT_HOLDS(of(npy("<f4", "(2, 1, 2, 3)", data)), "has type '<f4'; images are bytes");
  EXPECT_HOLDS(of(npy("|i1", "(2, 1, 2, 3)", data)), "has type '|i1'");
  EXPECT_HOLDS(of(npy("|u1", "(2, 2, 3)", data)), "has shape (2, 2, 3)");
  EXPECT_HOLDS(of(npy("|u1", "(3, 1, 2, 2)", data)), "has shape (3, 1, 2, 2)");
  EXPECT_HOLDS(of(npy("|u1", "(0, 1, 2, 3)", "")), "holds no image");
  EXPECT_HOLDS(of(npy("|u1", "(2, 0, 2, 3)", "")), "pixels");
  EXPECT_HOLDS(of(npy("|u1", "(1, 2, 2, 3)", data)), "holds 1 images, but there are 2 labels");
  EXPECT_HOLDS(of(npy("|u1", "(4294967296, 4294967296, 4294967296, 3)", data)), "too large");
  EXPECT_HOLDS(of(npy("|u1", "(99999999999999999999,)", data)), "damaged");
  EXPECT_HOLDS(of(npy("|u1", "(2, -1, 2, 3)", data)), "damaged");
  EXPECT_HOLDS(of(npy("|u1', 'x': '", "(2, 1, 2, 3)", data)), "damaged");
  std::string fortran = good;
  fortran.replace(fortran.find("False"), 5, "True ");
  EXPECT_HOLDS(of(fortran), "Fortran's order");
  std::string version = good;
  version[6] = 4;
  EXPECT_HOLDS(of(version), "format 4.0");
  std::string records = good;
  records.replace(records.find("'|u1'"), 5, "[('a'");
  EXPECT_HOLDS(of(records), "holds records");
}

TEST_F(Npy, BadLabelsAreNamed) {
  const fs::path x = put("x.npy", npy("|u1", "(2, 1, 2, 3)", std::string(12, '\1')));
  const auto of = [&](const std::string& bytes) {
    const fs::path path = put("y.npy", bytes);
    return refusal([&] { return open_npy(x, path); });
  };
  EXPECT_HOLDS(of(npy("|i1", "(2,)", "\1\xff")), "y.npy: label below 0 of image 1");
  EXPECT_HOLDS(of(npy("<u4", "(2,)", "\0\0\0\0\0\0\0\x80"s)), "label 2147483648 of image 1");
  EXPECT_HOLDS(of(npy("<f8", "(2,)", std::string(16, '\0'))), "has type '<f8'");
  EXPECT_HOLDS(of(npy("|b1", "(2,)", "\0\1"s)), "has type '|b1'");
  EXPECT_HOLDS(of(npy("|u1", "(2, 1)", "\0\1"s)), "shape (2, 1)");
  EXPECT_HOLDS(of(npy("|u1", "()", "\0"s)), "shape ()");
  EXPECT_HOLDS(of(npy("|u1", "(3,)", "\0\1\2"s)), "x.npy: holds 2 images, but there are 3 labels");
}

TEST_F(Npy, NamesOfTheUsersOwn) {
  EXPECT_HOLDS(refusal([] { return Dataset::open("npy:", {}); }), "npy:X.npy,Y.npy");
  EXPECT_HOLDS(refusal([] { return Dataset::open("npy:x.npy", {}); }), "--labels=FILE");
  EXPECT_HOLDS(refusal([] { return Dataset::open("npy:x.npy,y.npy", {}, "z.txt"); }),
               "npy:x.npy,y.npy and --labels=z.txt both");
  EXPECT_HOLDS(refusal([] { return Dataset::open("npy:none.npy,y.npy", {}); }), "none.npy");
  EXPECT_HOLDS(refusal([] { return Dataset::open("folder:", {}); }), "names no folder");
  EXPECT_HOLDS(refusal([] { return Dataset::open("cifar", {}, "z.txt"); }), "labels of their own");
}

}  // namespace
}  // namespace hedge
