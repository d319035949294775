"""Pictures made of other pictures: augmentation, cut-and-paste, collages, screenshots."""
