// SPDX-License-Identifier: Apache-2.0
#include "data/recipes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using nlohmann::json;
using Triple = std::array<double, 3>;

std::string refusal(const std::string& text) {
  try {
    (void)parse_recipe(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "accepted";
}

void expect_refusal(const std::string& text, const std::string& part) {
  EXPECT_NE(refusal(text).find(part), std::string::npos) << text << " -> " << refusal(text);
}

class RecipeFile : public testing::Test {
 protected:
  PreprocessingRecipe read(const std::string& content) {
    write_file(path_, content);
    return parse_recipe(path_.string());
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "the=recipe.txt";
};

TEST(Recipes, TableOfTheOriginal) {
  const auto resnet8 = find_recipe("resnet8", "cifar");
  ASSERT_TRUE(resnet8);
  EXPECT_EQ(*resnet8, PreprocessingRecipe{});
  EXPECT_EQ(resnet8->layout, TensorLayout::kNhwc);

  const auto resnet56 = find_recipe("resnet56", "cifar");
  ASSERT_TRUE(resnet56);
  EXPECT_EQ(resnet56->scale, 1.0 / 255);
  EXPECT_EQ(resnet56->mean, (Triple{0.4914, 0.4822, 0.4465}));
  EXPECT_EQ(resnet56->std, (Triple{0.2023, 0.1994, 0.2010}));
  EXPECT_EQ(resnet56->layout, TensorLayout::kNhwc);

  const auto alexnet = find_recipe("alexnet", "cifar");
  ASSERT_TRUE(alexnet);
  EXPECT_EQ(alexnet->scale, 1.0);
  EXPECT_EQ(alexnet->mean, (Triple{125.307, 122.95, 113.865}));
  EXPECT_EQ(alexnet->std, (Triple{62.9932, 62.0887, 66.7048}));

  const auto imagenet = find_recipe("whatever", "imagenet");
  ASSERT_TRUE(imagenet);
  EXPECT_EQ(imagenet->scale, 1.0 / 255);
  EXPECT_EQ(imagenet->mean, (Triple{0.485, 0.456, 0.406}));
  EXPECT_EQ(imagenet->std, (Triple{0.229, 0.224, 0.225}));
  EXPECT_EQ(imagenet->layout, TensorLayout::kNchw);
  EXPECT_EQ(imagenet->height, 224);
  EXPECT_EQ(imagenet->width, 224);
  EXPECT_EQ(imagenet->resize_height, 256);
  EXPECT_EQ(imagenet->resize_width, 0);
  EXPECT_EQ(imagenet->crop_height, 224);
  // The recipe of alexnet on CIFAR-10 is for CIFAR-10 only.
  EXPECT_EQ(find_recipe("alexnet", "imagenet"), imagenet);

  const auto shapes = find_recipe("whatever", "shapes");
  ASSERT_TRUE(shapes);
  EXPECT_EQ(shapes->scale, 1.0 / 255);
  EXPECT_EQ(shapes->mean, (Triple{0.5, 0.5, 0.5}));
  EXPECT_EQ(shapes->std, (Triple{0.5, 0.5, 0.5}));
}

TEST(Recipes, EarlyExitModelsUseTheRecipeOfTheNameWithoutIt) {
  EXPECT_EQ(find_recipe("EE_resnet8", "cifar"), find_recipe("resnet8", "cifar"));
  EXPECT_EQ(find_recipe("EE_resnet56", "cifar"), find_recipe("resnet56", "cifar"));
  EXPECT_FALSE(find_recipe("EE_EE_resnet8", "cifar"));
}

TEST(Recipes, NoneIsGuessed) {
  EXPECT_FALSE(find_recipe("resnet20", "cifar"));
  EXPECT_FALSE(find_recipe("resnet8v2", "cifar"));
  EXPECT_FALSE(find_recipe("", "cifar"));
  EXPECT_FALSE(find_recipe("resnet8", ""));
  EXPECT_FALSE(find_recipe("resnet8", "cifar10"));  // Not canonical.
}

TEST(Recipes, ParsesEveryKey) {
  const auto recipe =
      parse_recipe(" scale = 1/255 , mean=0.5:0.25:-1e-1,std=2,layout=NCHW,order=bgr,size=48x64");
  EXPECT_EQ(recipe.scale, 1.0 / 255);
  EXPECT_EQ(recipe.mean, (Triple{0.5, 0.25, -0.1}));
  EXPECT_EQ(recipe.std, (Triple{2, 2, 2}));
  EXPECT_EQ(recipe.layout, TensorLayout::kNchw);
  EXPECT_EQ(recipe.channel_order, ChannelOrder::kBgr);
  EXPECT_EQ(recipe.height, 48);
  EXPECT_EQ(recipe.width, 64);
  EXPECT_EQ(recipe.resize_height, 0);
  EXPECT_EQ(recipe.crop_height, 0);

  const auto steps = parse_recipe("resize=256,crop=224,interpolation=Bicubic");
  EXPECT_EQ(steps.resize_height, 256);
  EXPECT_EQ(steps.resize_width, 0);
  EXPECT_EQ(steps.crop_height, 224);
  EXPECT_EQ(steps.crop_width, 224);
  EXPECT_EQ(steps.interpolation, Interpolation::kBicubic);
  const auto exact = parse_recipe("resize=40x50,crop=30x20,interpolation=nearest");
  EXPECT_EQ(exact.resize_height, 40);
  EXPECT_EQ(exact.resize_width, 50);
  EXPECT_EQ(exact.crop_height, 30);
  EXPECT_EQ(exact.crop_width, 20);
  EXPECT_EQ(exact.interpolation, Interpolation::kNearest);
}

TEST(Recipes, AnySubsetOfTheKeys) {
  PreprocessingRecipe expected;
  expected.std = {0.5, 0.5, 0.5};
  EXPECT_EQ(parse_recipe("std=0.5"), expected);
  EXPECT_EQ(parse_recipe("scale=1"), PreprocessingRecipe{});
}

TEST(Recipes, RoundTripsToTheLastBit) {
  PreprocessingRecipe odd{.scale = std::nextafter(1.0 / 255, 1),
                          .mean = {1.0 / 3, -std::nextafter(0.1, 0), 1e-17},
                          .std = {std::nextafter(62.9932, 63), 1e10, -2.0 / 7},
                          .layout = TensorLayout::kNchw,
                          .channel_order = ChannelOrder::kBgr,
                          .height = 1,
                          .width = 8192};
  std::vector<PreprocessingRecipe> recipes{odd, {}, find_recipe("", "imagenet").value()};
  for (const char* text : {"resize=7", "resize=7x9", "crop=3x4", "interpolation=nearest",
                           "resize=1,interpolation=bicubic,crop=8192"}) {
    recipes.push_back(parse_recipe(text));
  }
  for (const char* model : {"resnet8", "resnet56", "alexnet"}) {
    recipes.push_back(find_recipe(model, "cifar").value());
  }
  for (const auto& recipe : recipes) {
    EXPECT_EQ(parse_recipe(to_string(recipe)), recipe) << to_string(recipe);
    EXPECT_EQ(json::parse(json(recipe).dump()).get<PreprocessingRecipe>(), recipe);
  }
}

TEST(Recipes, RefusalsNameTheKeyAndItsForm) {
  expect_refusal("scal=1", "did you mean scale?");
  expect_refusal("means=1", "did you mean mean?");
  expect_refusal("zebra=1",
                 "there are scale, mean, std, layout, order, size, height, width, resize, crop and "
                 "interpolation");
  expect_refusal("scale=1,scale=2", "states scale twice");
  expect_refusal("scale=", "scale=: '' is no number");
  expect_refusal("scale=1/0", "division by zero");
  expect_refusal("scale=0x10", "no number");
  expect_refusal("scale=inf", "no number");
  expect_refusal("scale=1e999", "no number");
  expect_refusal("scale=0", "the same");
  expect_refusal("mean=nan", "no number");
  expect_refusal("mean=1:2", "one number or three");
  expect_refusal("mean=1:2:3:4", "one number or three");
  expect_refusal("mean=1:2:", "'' is no number");
  expect_refusal("std=0", "std not 0");
  expect_refusal("std=1:1:0", "std not 0");
  expect_refusal("std=1e-300", "range of float");
  expect_refusal("layout=chw", "give nchw or nhwc");
  expect_refusal("order=grb", "give bgr or rgb");
  expect_refusal("interpolation=lanczos", "give bicubic, bilinear or nearest");
  expect_refusal("resize=0", "extent from 1");
  expect_refusal("resize=1x2x3", "one number or HEIGHTxWIDTH");
  expect_refusal("crop=-1", "extent from 1");
  for (const char* size :
       {"32", "32x", "x32", "0x32", "32x-1", "32x32x3", "8193x1", "4294967328x1", "32.5x32", ""}) {
    EXPECT_NE(refusal(std::string("size=") + size), "accepted") << size;
  }
  expect_refusal("scale=1,mean=0.485,0.456,0.406", "as mean=0.485:0.456:0.406");
  expect_refusal("std=0.2,0.2,0.2", "as std=0.229:0.224:0.225");
  expect_refusal("scale=1,0.2", "neither a file nor KEY=VALUE");
  expect_refusal("no_such_file.txt", "neither a file nor KEY=VALUE");
  expect_refusal(std::filesystem::temp_directory_path().string(), "directory");
}

TEST(Recipes, KeysThatAreNotThereHaveTheValuesOfAnother) {
  const auto other = parse_recipe("scale=2,layout=nchw,size=8x9,mean=5");
  EXPECT_EQ(parse_recipe("scale=2", other), other);
  EXPECT_EQ(parse_recipe("height=7,layout=nhwc", other),
            parse_recipe("scale=2,layout=nhwc,size=7x9,mean=5"));
}

TEST(Recipes, DoubtsAreOfForgottenScalesAlone) {
  for (const auto& [model, dataset] :
       std::vector<std::pair<const char*, const char*>>{{"resnet8", "cifar"},
                                                        {"resnet56", "cifar"},
                                                        {"alexnet", "cifar"},
                                                        {"a", "imagenet"},
                                                        {"a", "shapes"}}) {
    EXPECT_EQ(doubt_about(find_recipe(model, dataset).value()), "") << model << dataset;
  }
  for (const char* sound :
       {"scale=1", "scale=1,order=bgr", "scale=1,mean=104:117:123,order=bgr", "scale=1/255",
        "scale=1,mean=127.5,std=127.5", "scale=1/127.5,mean=1", "scale=1,std=255",
        "scale=1,mean=104:117:124,std=58.8", "scale=1,mean=128"}) {
    EXPECT_EQ(doubt_about(parse_recipe(sound)), "") << sound;
  }
  for (const char* forgotten : {"mean=0.485:0.456:0.406,std=0.229:0.224:0.225", "mean=0.5:0.5:0.4",
                                "std=0.5", "scale=255", "scale=255,mean=0.5,std=0.5"}) {
    EXPECT_NE(doubt_about(parse_recipe(forgotten)).find("is scale=1/255 missing?"),
              std::string::npos)
        << forgotten;
  }
  for (const char* of_pixels :
       {"scale=1/255,mean=123:117:104", "scale=1/255,mean=127.5,std=127.5",
        "scale=1/255,mean=125.3:123:114,std=63:62:67", "scale=1/255,std=255"}) {
    EXPECT_NE(doubt_about(parse_recipe(of_pixels)).find("0 to 1"), std::string::npos) << of_pixels;
  }
}

TEST(Recipes, NothingStatedIsNotTheRawRecipe) {
  for (const char* text : {"", " ", ",", "\n", "# only a comment"}) {
    expect_refusal(text, "states nothing");
  }
}

TEST_F(RecipeFile, PairsBetweenLineEndsAndCommas) {
  // The file's name holds a '=' on purpose: it is a file all the same.
  const auto recipe = read("# ours\r\nscale=1/255\r\nmean=0.5, std=0.25  # all channels\n\n");
  EXPECT_EQ(recipe, parse_recipe("scale=1/255,mean=0.5,std=0.25"));
  const auto known = find_recipe("resnet56", "cifar").value();
  EXPECT_EQ(read(to_string(known) + "\n"), known);
}

TEST_F(RecipeFile, JsonObject) {
  EXPECT_EQ(read(R"( {"scale": "1/255", "mean": 0.5, "std": [1, 2, 3.5], "size": "8x9"})"),
            parse_recipe("scale=1/255,mean=0.5,std=1:2:3.5,size=8x9"));
  EXPECT_EQ(read(R"({"height": 8, "width": 9})"), parse_recipe("size=8x9"));
}

TEST_F(RecipeFile, RefusalsNameTheFile) {
  for (const char* content :
       {"scale", "std=0", "{", "{}", R"({"scale":[1]} x)", "", "{\"a\n\":1}"}) {
    EXPECT_THROW((void)read(content), Error) << content;
    expect_refusal(path_.string(), path_.string());
  }
}

TEST(Recipes, JsonIsNeverHalfRead) {
  for (const char* text : {R"({"scales": 1})",
                           R"({"scale": null})",
                           R"({"scale": true})",
                           R"({"scale": [1, 2, 3]})",
                           R"({"mean": [1, 2]})",
                           R"({"mean": [1, 2, 3, 4]})",
                           R"({"mean": [1, [2]]})",
                           R"({"mean": [[1, 2], 3]})",
                           R"({"mean": []})",
                           R"({"std": [1, 0, 1]})",
                           R"({"std": {"r": 1}})",
                           R"({"layout": 1})",
                           R"({"layout": "chw"})",
                           R"({"height": 32.5})",
                           R"({"height": 1e30})",
                           R"({"width": 0})",
                           R"({"width": 4294967328})",
                           R"({})",
                           R"([])",
                           R"("scale=1")",
                           R"(null)"}) {
    EXPECT_THROW((void)json::parse(text).get<PreprocessingRecipe>(), Error) << text;
  }
}

TEST(Recipes, InputShapeSettlesLayoutAndSize) {
  const PreprocessingRecipe nhwc = find_recipe("resnet56", "cifar").value();
  const auto planar = with_input_shape(nhwc, {1, 3, 48, 64});
  EXPECT_EQ(planar.layout, TensorLayout::kNchw);
  EXPECT_EQ(planar.height, 48);
  EXPECT_EQ(planar.width, 64);
  EXPECT_EQ(planar.mean, nhwc.mean);
  const auto interleaved = with_input_shape(planar, {4, 20, 10, 3});
  EXPECT_EQ(interleaved.layout, TensorLayout::kNhwc);
  EXPECT_EQ(interleaved.height, 20);
  EXPECT_EQ(interleaved.width, 10);
  // Both axes could be the channels: the recipe decides.
  EXPECT_EQ(with_input_shape(nhwc, {1, 3, 5, 3}).height, 3);
  EXPECT_EQ(with_input_shape(nhwc, {1, 3, 5, 3}).width, 5);
  EXPECT_EQ(with_input_shape(planar, {1, 3, 5, 3}).height, 5);
  EXPECT_EQ(with_input_shape(planar, {1, 3, 5, 3}).width, 3);
}

TEST(Recipes, StepsThatCannotLeadToTheInputAreRefused) {
  const Shape input{1, 3, 224, 192};
  EXPECT_EQ(with_input_shape(parse_recipe("resize=256,crop=224x192"), input).width, 192);
  EXPECT_EQ(with_input_shape(parse_recipe("resize=192,crop=224x192"), input).width, 192);
  for (const char* text : {"crop=224", "resize=191,crop=224x192", "resize=223x500,crop=224x192",
                           "resize=500x191,crop=224x192"}) {
    EXPECT_THROW((void)with_input_shape(parse_recipe(text), input), Error) << text;
  }
}

TEST(Recipes, ThoseOfTheTableGrowWithTheInput) {
  const auto imagenet = find_recipe("", "imagenet").value();
  EXPECT_EQ(scaled_to_input(imagenet, {1, 3, 224, 224}), imagenet);
  const auto inception = scaled_to_input(imagenet, {1, 299, 299, 3});
  EXPECT_EQ(inception.resize_height, 342);
  EXPECT_EQ(inception.crop_height, 299);
  EXPECT_EQ(inception.crop_width, 299);
  EXPECT_EQ(inception.layout, TensorLayout::kNhwc);
  EXPECT_EQ(scaled_to_input({}, {1, 3, 64, 64}).crop_height, 0);
}

TEST(Recipes, InputShapeWithoutThreeChannelsIsRefused) {
  const std::vector<Shape> shapes{{1, 1, 28, 28}, {1, 28, 28, 1},   {3, 32, 32}, {1, 3072}, {},
                                  {1, 32, 3, 32}, {1, 1, 3, 32, 32}};
  for (const Shape& shape : shapes) {
    try {
      (void)with_input_shape({}, shape);
      ADD_FAILURE() << to_string(shape);
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(to_string(shape)), std::string::npos) << message;
      EXPECT_NE(message.find("RGB"), std::string::npos) << message;
    }
  }
}

TEST(Recipes, InputShapeOutOfRangeIsNotCutToInt) {
  EXPECT_THROW((void)with_input_shape({}, {1, 3, (std::int64_t{1} << 32U) + 32, 32}), Error);
  EXPECT_THROW((void)with_input_shape({}, {1, 3, 32, 0}), Error);
  EXPECT_THROW((void)with_input_shape({}, {1, -1, -1, 3}), Error);
}

}  // namespace
}  // namespace hedge
