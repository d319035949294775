"""The store of batches: tables, migrations, claims and results. The only package that imports SQLAlchemy.

It needs the extra ``review`` and is imported only where ``FAUNALENS_BATCHES`` is on.
"""
