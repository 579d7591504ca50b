"""Being written."""


def list_folder(path, data_dir, reading):
    raise NotImplementedError
