// Asks an export for a window of its plane and writes it as a PPM picture. No Python, and no XLA, as in TensorFlow Serving.
//
//   window MODEL_VERSION_FOLDER OUT.ppm SEED TEXTURE TOP LEFT HEIGHT WIDTH
//
// docs/saved-models.md has the line that compiles it against the libraries of the TensorFlow wheel.

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/compiler/jit/flags.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/public/session.h"

namespace {

absl::Status Run(char** arguments) {
  tensorflow::SavedModelBundleLite model;
  const absl::Status loaded =
      tensorflow::LoadSavedModel(tensorflow::SessionOptions(), tensorflow::RunOptions(), arguments[1], {"serve"}, &model);
  if (!loaded.ok()) return loaded;

  const auto signature = model.GetSignatures().find("window");
  if (signature == model.GetSignatures().end()) return absl::NotFoundError("the model has no signature 'window'");

  // The names of the graph's own tensors stand in the signature; they are not those of its inputs.
  std::vector<std::pair<std::string, tensorflow::Tensor>> inputs;
  const std::vector<std::string> names = {"seed", "texture", "top", "left", "height", "width"};
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t value = std::strtoll(arguments[3 + i], nullptr, 10);
    const bool extent = names[i] == "height" || names[i] == "width";
    inputs.emplace_back(signature->second.inputs().at(names[i]).name(),
                        extent ? tensorflow::Tensor(static_cast<int32_t>(value)) : tensorflow::Tensor(value));
  }

  std::vector<tensorflow::Tensor> outputs;
  const absl::Status made =
      model.GetSession()->Run(inputs, {signature->second.outputs().at("image").name()}, {}, &outputs);
  if (!made.ok()) return made;

  const tensorflow::Tensor& image = outputs[0];  // uint8 [height, width, 3]
  std::ofstream file(arguments[2], std::ios::binary);
  file << "P6\n" << image.dim_size(1) << " " << image.dim_size(0) << "\n255\n";
  file.write(reinterpret_cast<const char*>(image.flat<uint8_t>().data()), image.NumElements());
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError(std::string(arguments[2]) + " cannot be written");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 9) {
    std::cerr << "window MODEL_VERSION_FOLDER OUT.ppm SEED TEXTURE TOP LEFT HEIGHT WIDTH\n";
    return 2;
  }
  tensorflow::DisableXlaCompilation();  // TensorFlow Serving does the same unless it is told otherwise
  const absl::Status status = Run(arguments);
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
