"""What gunicorn serves: the site, with its static files."""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.demo.site.settings")
application = StaticFilesHandler(get_wsgi_application())
