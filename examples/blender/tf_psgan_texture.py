"""Blender add-on: seamless textures from psgan-viewer as images and materials.

Start `psgan-viewer --models=models`, install this file (Edit > Preferences > Add-ons > Install from Disk), and choose
Add > Image > Seamless texture in the 3D viewport. The image is packed into the .blend file and repeats without a seam.
Where the server has maps of the model as models of their own, NAME_normal beside NAME, the material has them, too.
"""

import json
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import bpy

bl_info = {
    "name": "Seamless textures from psgan-viewer",
    "author": "the tf_psgan authors",
    "version": (1, 0, 0),
    "blender": (3, 6, 0),
    "location": "3D Viewport > Add > Image > Seamless texture",
    "category": "Material",
}

SECONDS = 60.0

INPUTS = {"normal": "Normal", "roughness": "Roughness", "metalness": "Metallic"}
"""Inputs of Blender's surface by the maps that go into them."""


def request(address, path):
    """The bytes at a path of the server.

    Raises:
      ValueError: one line with the reason; the server's problem is its argument `args[1]`.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"{address} is not an address; write it as in http://localhost:8000", {})
    try:
        with urllib.request.urlopen(address.rstrip("/") + path, timeout=SECONDS) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        try:
            problem = json.loads(error.read())
        except ValueError:
            problem = {"detail": f"HTTP {error.code}"}
        raise ValueError(f"{address}: {problem['detail']}", problem) from None
    except OSError as error:
        raise ValueError(f"{address}: {getattr(error, 'reason', error)}; start psgan-viewer there", {}) from None


def seamless_tile(address, model, texture, seed, height, width):
    """A seamless tile as a PNG file, of the extent nearest to the wanted one that fits the texture's waves.

    Args:
      address: of psgan-viewer.
      model: its name.
      texture, seed: integers.
      height, width: in pixels.

    Returns:
      The file's bytes.

    Raises:
      ValueError: one line with the reason.
    """
    about = json.loads(request(address, f"/v1/models/{urllib.parse.quote(model, safe='')}"))
    cell = about["pixels_per_cell"]
    extent = {"height": max(cell, height // cell * cell), "width": max(cell, width // cell * cell)}
    path = f"{about['path']}/tile.png?texture={texture}&seed={seed}"
    try:
        return request(address, f"{path}&{urllib.parse.urlencode(extent)}")
    except ValueError as error:
        fits = error.args[1].get("fits")
        if not fits:
            raise
        return request(address, f"{path}&{urllib.parse.urlencode(fits)}")


def pictures(address, model, texture, seed, height, width):
    """Tiles of a model and of its maps, which fit each other; arguments as for `seamless_tile`.

    Args:
      model: its name; "" for the server's first model.

    Returns:
      The model's name, the bytes of its tile, and those of its maps by name.

    Raises:
      ValueError: one line with the reason.
    """
    names = [found["name"] for found in json.loads(request(address, "/v1/models"))["models"]]
    if not (model or names):
        raise ValueError(f"{address}: the server has no model", {})
    model = model or names[0]
    tile = seamless_tile(address, model, texture, seed, height, width)
    maps = [name for name in INPUTS if f"{model}_{name}" in names]
    return model, tile, {name: seamless_tile(address, f"{model}_{name}", texture, seed, height, width) for name in maps}


def add_image(data, name):
    """A packed image datablock of a PNG file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tile.png")
        with open(path, "wb") as file:
            file.write(data)
        image = bpy.data.images.load(path)
        image.pack()
    image.name = name
    return image


def add_material(image, maps):
    """A material whose base colour is an image, with further images for its maps by name."""
    material = bpy.data.materials.new(image.name)
    material.use_nodes = True
    tree = material.node_tree
    surface = tree.nodes["Principled BSDF"].inputs
    tree.links.new(_colour_of(tree, image), surface["Base Color"])
    for name, picture in maps.items():
        picture.colorspace_settings.name = "Non-Color"
        output = _colour_of(tree, picture)
        if name == "normal":
            node = tree.nodes.new("ShaderNodeNormalMap")
            tree.links.new(output, node.inputs["Color"])
            output = node.outputs["Normal"]
        tree.links.new(output, surface[INPUTS[name]])
    return material


def _colour_of(tree, image):
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node.outputs["Color"]


class AddSeamlessTexture(bpy.types.Operator):
    """Add a seamless texture from psgan-viewer as an image and a material"""

    bl_idname = "image.add_tf_psgan_texture"
    bl_label = "Seamless texture"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  (Blender's own form)

    address: bpy.props.StringProperty(name="Server", default="http://localhost:8000")
    model: bpy.props.StringProperty(name="Model", description="Empty for the server's first")
    texture: bpy.props.IntProperty(name="Texture", default=0)
    seed: bpy.props.IntProperty(name="Seed", default=0)
    pixels: bpy.props.IntProperty(name="Pixels", default=512, min=16, max=2048)

    def invoke(self, context, event):
        """Asks for the properties."""
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context):
        """Adds the image and the material; the material is given to the active object."""
        try:
            extent = (self.pixels, self.pixels)
            model, tile, maps = pictures(self.address, self.model, self.texture, self.seed, *extent)
        except ValueError as error:
            self.report({"ERROR"}, str(error.args[0]))
            return {"CANCELLED"}
        title = f"{model} {self.texture} {self.seed}"
        images = {name: add_image(data, f"{title} {name}") for name, data in maps.items()}
        material = add_material(add_image(tile, title), images)
        materials = getattr(getattr(context.object, "data", None), "materials", None)
        if materials is not None:
            materials.append(material)
        return {"FINISHED"}


def _draw(menu, context):
    menu.layout.operator(AddSeamlessTexture.bl_idname, icon="TEXTURE")


def register():
    """Called by Blender when the add-on is switched on."""
    bpy.utils.register_class(AddSeamlessTexture)
    bpy.types.VIEW3D_MT_image_add.append(_draw)


def unregister():
    """Called by Blender when the add-on is switched off."""
    bpy.types.VIEW3D_MT_image_add.remove(_draw)
    bpy.utils.unregister_class(AddSeamlessTexture)
