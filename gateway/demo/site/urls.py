"""Addresses of the demo's site: the admin, and contrib.auth's own pages."""

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    # contrib.auth has a template for every page but this one
    path("accounts/login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("accounts/", include("django.contrib.auth.urls")),
]
