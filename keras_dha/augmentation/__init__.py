"""Transforms of images, and policies that learn which to use."""

from keras_dha.augmentation.basic_augmentation import BasicAugmentation, Crop, HorizontalFlip
from keras_dha.augmentation.enhance_transforms import Brightness, Color, Contrast, Sharpness
from keras_dha.augmentation.geometric_transforms import (
    GeometricTransform,
    Rotate,
    ShearX,
    ShearY,
    TranslateXRel,
    TranslateYRel,
)
from keras_dha.augmentation.pair_policy import DHA_OPERATIONS as DHA_OPERATIONS
from keras_dha.augmentation.pair_policy import PairPolicy
from keras_dha.augmentation.tone_transforms import AutoContrast, Equalize, Posterize, Solarize
from keras_dha.augmentation.transform import TRANSFORMS as TRANSFORMS
from keras_dha.augmentation.transform import Identity, Transform, register_transform

__all__ = [
    "AutoContrast",
    "BasicAugmentation",
    "Brightness",
    "Color",
    "Contrast",
    "Crop",
    "Equalize",
    "GeometricTransform",
    "HorizontalFlip",
    "Identity",
    "PairPolicy",
    "Posterize",
    "Rotate",
    "Sharpness",
    "ShearX",
    "ShearY",
    "Solarize",
    "Transform",
    "TranslateXRel",
    "TranslateYRel",
    "register_transform",
]
