"""Transforms of images, and policies that learn which to use."""

from keras_dha.augmentation.basic_augmentation import BasicAugmentation, Crop, HorizontalFlip
from keras_dha.augmentation.blur_transforms import GaussianBlur
from keras_dha.augmentation.dada_policy import DADAPolicy
from keras_dha.augmentation.enhance_transforms import Brightness, Color, Contrast, Sharpness
from keras_dha.augmentation.geometric_transforms import (
    FlipX,
    FlipY,
    GeometricTransform,
    Rotate,
    Scale,
    ShearX,
    ShearY,
    TranslateXRel,
    TranslateYRel,
)
from keras_dha.augmentation.load_policy import load
from keras_dha.augmentation.mixing import CutMix, Mixing, MixUp
from keras_dha.augmentation.pair_policy import DHA_OPERATIONS as DHA_OPERATIONS
from keras_dha.augmentation.pair_policy import PairPolicy
from keras_dha.augmentation.policy import AugmentationPolicy
from keras_dha.augmentation.random_policy import RandAugment, TrivialAugment
from keras_dha.augmentation.random_transforms import Cutout, Noise, RandomTransform
from keras_dha.augmentation.relaxed_policy import RelaxedPolicy
from keras_dha.augmentation.tone_transforms import AutoContrast, Equalize, Invert, Posterize, Solarize
from keras_dha.augmentation.transform import TRANSFORMS as TRANSFORMS
from keras_dha.augmentation.transform import Identity, Transform, register_transform

__all__ = [
    "AugmentationPolicy",
    "AutoContrast",
    "BasicAugmentation",
    "Brightness",
    "Color",
    "Contrast",
    "Crop",
    "CutMix",
    "Cutout",
    "DADAPolicy",
    "Equalize",
    "FlipX",
    "FlipY",
    "GaussianBlur",
    "GeometricTransform",
    "HorizontalFlip",
    "Identity",
    "Invert",
    "MixUp",
    "Mixing",
    "Noise",
    "PairPolicy",
    "Posterize",
    "RandAugment",
    "RandomTransform",
    "RelaxedPolicy",
    "Rotate",
    "Scale",
    "Sharpness",
    "ShearX",
    "ShearY",
    "Solarize",
    "Transform",
    "TranslateXRel",
    "TranslateYRel",
    "TrivialAugment",
    "load",
    "register_transform",
]
